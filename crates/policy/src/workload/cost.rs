//! Computes how much memory an item of a list takes beyond its place in the list, for [`crate::room`].

use std::borrow::Cow;

use super::{Container, Resources};
use crate::power::USUAL_POWERS;
use crate::privileged::{capability, implies_escalation};
use crate::room::{Cost, Item};
use crate::text::Text;

impl Item for Container<'_> {
    fn cost(&self) -> Cost {
        let context = &self.security_context;
        let windows = &context.windows_options;
        let probes = [&self.liveness_probe, &self.readiness_probe].into_iter().flatten();
        let paths = probes.flat_map(|probe| &probe.http_get).map(|get| get.path.heap());
        let texts = [
            &self.name,
            &self.image,
            &self.restart_policy,
            &context.proc_mount,
            &windows.run_as_user_name,
        ];
        let heap = texts.map(Text::heap).iter().sum::<usize>() + paths.sum::<usize>() + self.resources.heap();
        // Escalation, a user on either system, and what a container may get from its pod: everything that the host can do.
        let own = [context.privileged == Some(true), !context.proc_mount.is_empty()];
        let powers = USUAL_POWERS as u32 + 1 + own.into_iter().map(u32::from).sum::<u32>();
        Cost {
            heap,
            powers,
            // Two limits, requests, two probes, the user, three ways to gain privileges besides capabilities, the root
            // filesystem, and three about the image.
            findings: 13,
            is_container: true,
        }
    }
}

/// A capability.
impl Item for Text<'_> {
    fn cost(&self) -> Cost {
        // Where it gives a power, its folded name is kept with that power, or with its finding.
        let gives = implies_escalation(self);
        let folded = match capability(self) {
            Cow::Owned(name) => name.capacity(),
            Cow::Borrowed(_) => 0,
        };
        Cost {
            heap: self.heap() + usize::from(gives) * folded,
            powers: gives.into(),
            findings: gives.into(),
            is_container: false,
        }
    }
}

impl Resources {
    /// Bytes for numbers of many digits: as read, and as text in a finding and in its fix.
    fn heap(&self) -> usize {
        let lists = [&self.limits, &self.requests].into_iter();
        let quantities = lists.flat_map(|list| [&list.cpu, &list.memory]).flatten();
        quantities.map(|quantity| 3 * quantity.heap()).sum()
    }
}
