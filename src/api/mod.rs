//! Kubernetes API types of the `dorgu.io` group, exactly as on the wire.
