import type { PoolLog } from '../log/waiting-log.ts';
import type { Tracing } from './tracing.ts';

/** Where a package that registers a tracer provider puts it, for every copy of @opentelemetry/api 1.x. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/**
 * Tracing with the SDK that the operator has loaded before the program (`node --import`); undefined without
 * one. The package @opentelemetry/api is then not even loaded.
 */
export async function loadTracing(log: PoolLog): Promise<Tracing | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const [{ ProxyTracerProvider, trace }, { createTracing }] = await Promise.all([
    import('@opentelemetry/api'),
    import('./tracing.ts'),
  ]);
  const provider = trace.getTracerProvider();
  // Without a registered provider, the API returns its own, which has no delegate.
  const isMissing =
    provider instanceof ProxyTracerProvider && provider.getDelegateTracer('') === undefined;
  if (isMissing) {
    log.warn(
      {},
      'an OpenTelemetry API is loaded, but no tracer provider that fits this gateway is registered: the worker records no spans; the provider must be registered with @opentelemetry/api 1.9 or later before the program starts',
    );
    return undefined;
  }
  return createTracing(provider);
}
