/** The help of `memcache-gateway meta`, at most 92 columns wide. */
export const metaHelp = `Usage: memcache-gateway meta [--bin PATH] [--engine PATH] [--log-format FORMAT]

Runs the meta service of the distributed engine (mmc_meta_service) in the foreground.
First checks its configuration file, named by MMC_META_CONFIG_PATH. Writes a line when the
service is ready. Forwards the first SIGTERM, SIGINT or SIGQUIT to the service; a second
signal kills it. Exits with the code of the service, or 128+n when signal n ended it. The
embedded engine needs no meta service.

  --help, --version      print this text, or the version
  --check-config         check everything, print the command, exit with 0 or 2
  --bin PATH             the program. Default: searched in the folder of the library that
                         --engine names, then in ../bin of that folder, then in PATH
  --engine PATH          libmf_memcache.so, as for the gateway           GATEWAY_ENGINE
  --log-format FORMAT    auto, json or pretty: format of the ready line  GATEWAY_LOG_FORMAT
`;
