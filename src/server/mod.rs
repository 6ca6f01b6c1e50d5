//! Listeners, TLS, probes and shutdown. Knows HTTP and certificates, and no persona.
