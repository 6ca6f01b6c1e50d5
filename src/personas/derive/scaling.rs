//! Finds the replica bounds of a persona: those of an autoscaler that targets the workload, else the replicas that it has.

use super::Note;
use super::workload::{Autoscaler, Workload};
use crate::api::Scaling;

/// `spec.scaling`.
pub(super) fn of(workloads: &[&Workload], autoscalers: &[Autoscaler], notes: &mut Vec<Note>) -> Scaling {
    let mut scaling = Scaling::default();
    for workload in workloads {
        let theirs = autoscalers.iter().filter(|autoscaler| autoscaler.targets(workload));
        let theirs: Vec<&Autoscaler> = theirs.collect();
        let min = theirs.iter().map(|autoscaler| autoscaler.min).min();
        let max = theirs.iter().map(|autoscaler| autoscaler.max).max();
        let (low, high) = match (min.zip(max), workload.replicas) {
            (Some((min, max)), Some(now)) if now < min || now > max => {
                notes.push(Note::of(
                    workload,
                    format!(
                        "it has {now} replicas although its autoscaler says {min} to {max}; the persona allows both"
                    ),
                ));
                (min.min(now), max.max(now))
            }
            (Some((min, max)), None) => {
                if min > 1 {
                    notes.push(Note::of(
                        workload,
                        format!(
                            "spec.replicas is not set, so it is created with 1 replica, below the minimum of {min}"
                        ),
                    ));
                }
                (min, max)
            }
            (Some(bounds), Some(_)) => bounds,
            (None, now) => (now.unwrap_or(1), now.unwrap_or(1)),
        };
        scaling.min_replicas = Some(scaling.min_replicas.map_or(low, |before| before.min(low)).max(0));
        scaling.max_replicas = Some(scaling.max_replicas.map_or(high, |before| before.max(high)).max(1));
        for autoscaler in theirs {
            scaling.target_cpu = scaling.target_cpu.or(autoscaler.cpu);
            scaling.target_memory = scaling.target_memory.or(autoscaler.memory);
        }
    }
    scaling
}
