//! Two replicas of any webhook behind a Service, and the faults that can be caused.

use std::time::Duration;

use crate::bed::Bed;

/// The namespace whose Deployments are asked about.
pub(super) const SHOP: &str = "shop";

/// How long a replica that is ending still gets new connections, until every kube-proxy has the new endpoints. The same for
/// every webhook.
pub(super) const ENDPOINT_DELAY: Duration = Duration::from_secs(1);

/// How long a new CA is trusted before a replica serves with it. dorgu waits this long by itself.
pub(super) const OVERLAP: Duration = Duration::from_secs(10);

/// Two replicas that refuse every canary.
pub(super) trait Fleet {
    fn bed(&mut self) -> &mut Bed;

    /// The text of a canary's denial.
    fn words(&self) -> &'static str;

    /// A canary, which must be refused.
    fn canary(&self) -> String;

    /// Replaces both, in turn, as a Deployment with `maxSurge: 1` and `maxUnavailable: 0` does: the next one is ready and gets
    /// connections before its predecessor is asked to end.
    fn replace_in_turn(&mut self);

    /// Another leaf of the same CA. Returns when it is served, by each webhook that reads it again.
    fn rotate_leaf(&mut self);

    /// Another CA and a leaf of it.
    fn rotate_ca(&mut self);

    /// Ends every connection to the API server, and admits none for a moment. Only for a fleet with personas.
    fn cut_watches(&mut self);

    /// The paths of personas that are written all the time; none where there are no personas.
    fn personas(&self) -> Vec<String>;

    /// What the replicas said last, for the message of a failure.
    fn said(&self) -> String;
}
