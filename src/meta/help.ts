/** The help of `memcache-gateway meta`, at most 92 columns wide. */
export const metaHelp = `Usage: memcache-gateway meta [--bin PATH] [--engine PATH] [--log-format FORMAT]

Runs the engine's meta service (mmc_meta_service) in the foreground, after a check of its
configuration, which MMC_META_CONFIG_PATH names; a line says when it is ready. SIGTERM,
SIGINT and SIGQUIT are passed on to it, a second one kills it. Its exit code is passed on,
128+n when signal n has ended it. The embedded engine needs no meta service.

  --help, --version      show this, or the version
  --check-config         check everything, show what would be run, exit with 0 or 2
  --bin PATH             the program; else it is sought beside the library that --engine
                         names (in the same folder, then in ../bin), then in PATH
  --engine PATH          libmf_memcache.so, as for the gateway           GATEWAY_ENGINE
  --log-format FORMAT    auto, json or pretty: how readiness is told     GATEWAY_LOG_FORMAT
`;
