//! Sums up the resources of nodes (contract 4.3) and what pods use of them (contract 9).

use std::sync::Arc;

use super::node::SeenNode;
use super::pod::Pod;
use crate::api::cluster_persona::status::{NodeResources, ResourceSummary};
use crate::policy::quantity::{Quantity, Sum};

/// The sums over the pods of a cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    running: usize,
    cpu: Sum,
    memory: Sum,
}

impl Used {
    /// Counts one more pod. A pod that ended, or has no node, uses no resources.
    pub(super) fn count(&mut self, pod: &Pod) {
        self.running += usize::from(pod.running);
        if pod.scheduled && !pod.terminal {
            self.cpu.add(&pod.cpu);
            self.memory.add(&pod.memory);
        }
    }
}

/// Adds the sums over the nodes.
pub(super) fn count_nodes(summary: &mut ResourceSummary, nodes: &[Arc<SeenNode>]) {
    let capacity = Total::of(nodes.iter().filter_map(|seen| seen.node.capacity.as_ref()));
    let allocatable = Total::of(nodes.iter().filter_map(|seen| seen.node.allocatable.as_ref()));
    summary.total_cpu = Some(capacity.cpu.total().to_string());
    summary.total_memory = Some(capacity.memory.total().to_string());
    summary.allocatable_cpu = Some(allocatable.cpu.total().to_string());
    summary.allocatable_memory = Some(allocatable.memory.total().to_string());
    // Room for more pods than an i32 holds is an invalid node.
    summary.total_pods = Some(i32::try_from(capacity.pods.total().whole()).unwrap_or(i32::MAX));
    summary.node_count = Some(number(nodes.len()));
}

/// Sums over nodes, in their order.
#[derive(Default)]
struct Total {
    cpu: Sum,
    memory: Sum,
    pods: Sum,
}

impl Total {
    fn of<'a>(nodes: impl Iterator<Item = &'a NodeResources>) -> Total {
        nodes.fold(Total::default(), |mut total, node| {
            total.cpu.extend(quantity(node.cpu.as_ref()).as_ref());
            total.memory.extend(quantity(node.memory.as_ref()).as_ref());
            total.pods.extend(quantity(node.pods.as_ref()).as_ref());
            total
        })
    }
}

/// Adds the sums over the pods, with percentages of what `summary` holds as allocatable.
pub(super) fn count_pods(summary: &mut ResourceSummary, used: &Used) {
    let (cpu, memory) = (used.cpu.total(), used.memory.total());
    let share = |used: &Quantity, allocatable: &Option<String>| {
        let percent = used.percent_of(&quantity(allocatable.as_ref())?)?;
        Some(format!("{percent}%"))
    };
    summary.cpu_utilization = share(&cpu, &summary.allocatable_cpu);
    summary.memory_utilization = share(&memory, &summary.allocatable_memory);
    summary.used_cpu = Some(cpu.to_string());
    summary.used_memory = Some(memory.to_string());
    summary.running_pods = Some(number(used.running));
}

fn quantity(text: Option<&String>) -> Option<Quantity> {
    Quantity::parse(text?).ok()
}

/// A count in the API's type.
pub(super) fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
