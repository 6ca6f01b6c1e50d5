use super::*;
use crate::Workload;
use crate::workload::Container;

/// A Deployment of so many containers, in two lists, each with so many capabilities.
fn object(containers: [usize; 2], capabilities: usize) -> String {
    let added = vec!["\"\""; capabilities].join(",");
    let container = format!(r#"{{"securityContext":{{"capabilities":{{"add":[{added}]}}}}}}"#);
    let [app, init] = containers.map(|count| vec![container.as_str(); count].join(","));
    format!(r#"{{"spec":{{"template":{{"spec":{{"containers":[{app}],"initContainers":[{init}]}}}}}}}}"#)
}

/// How many containers and capabilities are kept, and what is left.
fn kept(room: Room, json: &str) -> (usize, Room) {
    let (read, left) = within(room, || serde_json::from_str::<Workload<'_>>(json));
    let pod = read.expect("readable").spec.template.spec;
    let containers = pod.containers.iter().chain(&pod.init_containers);
    let parts = containers.map(|container| 1 + container.security_context.capabilities.add.len());
    (parts.sum(), left)
}

#[test]
fn one_count_holds_for_all_lists_of_an_object() {
    for (containers, capabilities, fits) in [
        ([5_000, 5_000], 0, true),
        ([5_000, 5_001], 0, false),
        ([2_500, 2_500], 1, true),
        ([2_500, 2_501], 1, false),
        ([600, 0], 10_000, false),
        ([0, 1], 9_999, true),
        ([0, 1], 10_000, false),
    ] {
        let (parts, left) = kept(Room::by_number(), &object(containers, capabilities));
        assert!(parts <= MOST_PARTS, "{parts}");
        assert_eq!(!left.is_exceeded(), fits, "{containers:?} with {capabilities}");
        assert_eq!(left.reason().starts_with("more than 10000 "), left.items == 0);
    }
}

#[test]
fn what_is_kept_fits_the_memory_of_its_review() {
    let one = Container::SIZE + Container::FINDINGS * Room::of_review(0).finding;
    for bytes in [0, 1 << 20, 3 << 20] {
        let room = Room::of_review(bytes);
        let most = room.bytes / one;
        assert!(most * one <= LEAST.max(4 * bytes));
        let (parts, left) = kept(room, &object([most, 0], 0));
        assert_eq!((parts, left.is_exceeded()), (most, false), "{bytes}");
        let (parts, left) = kept(room, &object([most, 3], 0));
        assert_eq!((parts, left.is_exceeded(), left.items == 0), (most, true, false));
    }
}

/// Otherwise what an update leaves as it is would look new.
#[test]
fn where_an_object_fits_beside_the_stored_one_that_is_read_whole() {
    let room = Room::of_review(0);
    let (mut fitted, mut exceeded) = (0, 0);
    for count in (100..2_000).step_by(50) {
        let json = object([count, 0], 2);
        let (_, left) = kept(room, &json);
        if left.is_exceeded_by_another() {
            exceeded += 1;
            continue;
        }
        fitted += 1;
        let (parts, left) = kept(left.of_stored(), &json);
        assert_eq!((parts, left.is_exceeded()), (3 * count, false), "{count}");
    }
    assert!(fitted > 5 && exceeded > 5, "{fitted} {exceeded}");
}

#[test]
fn without_a_bound_all_is_read_and_a_bound_ends_with_its_reader() {
    let json = object([MOST_PARTS, 1], 0);
    let all =
        |json: &str| serde_json::from_str::<Workload<'_>>(json).map(|read| read.spec.template.spec.containers.len());
    assert_eq!(all(&json).expect("readable"), MOST_PARTS);
    let panicked = std::panic::catch_unwind(|| within(Room::default(), || panic!("a defect")));
    assert!(panicked.is_err());
    assert_eq!(all(&json).expect("readable"), MOST_PARTS);
}
