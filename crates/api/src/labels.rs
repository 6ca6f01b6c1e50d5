//! Defines the keys of labels and annotations that users set and this program reads.

/// On a Deployment: the application's name, joined with `spec.name` of a persona in the same namespace.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// On a Namespace: `true` sends its Deployments to the webhook.
pub const VALIDATE: &str = "dorgu.io/validate";
/// Label of a Namespace or annotation of a persona: the requested mode. The strictest requested mode applies.
pub const MODE: &str = "dorgu.io/mode";
