"""Metrics of step-ups, fed by the extension's signals: for Prometheus, and for OpenTelemetry."""
