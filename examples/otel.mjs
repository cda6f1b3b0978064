/**
 * Sends the spans of the gateway to an OpenTelemetry collector over OTLP/HTTP (docs/tracing.md). Install, beside
 * this file:
 *
 *   npm install @opentelemetry/api @opentelemetry/sdk-trace @opentelemetry/resources \
 *     @opentelemetry/exporter-trace-otlp-http
 *
 * Each worker loads this file. OTEL_EXPORTER_OTLP_ENDPOINT names the collector; TRACE_RATIO is the share of the
 * requests without a trace of their own that are recorded.
 */
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

const { OTEL_SERVICE_NAME = 'memcache-gateway', TRACE_RATIO = '0.01' } = process.env;

trace.setGlobalTracerProvider(
  new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': OTEL_SERVICE_NAME,
      'service.instance.id': String(process.pid),
    }),
    // The decision of a client that sends traceparent counts.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(Number(TRACE_RATIO)) }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  }),
);
