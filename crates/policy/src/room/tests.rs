use super::*;
use crate::Workload;

/// A Deployment of this many containers, in two lists, each with this many capabilities.
fn object(containers: [usize; 2], capabilities: usize) -> String {
    let added = vec!["\"\""; capabilities].join(",");
    let container = format!(r#"{{"securityContext":{{"capabilities":{{"add":[{added}]}}}}}}"#);
    let [app, init] = containers.map(|count| vec![container.as_str(); count].join(","));
    format!(r#"{{"spec":{{"template":{{"spec":{{"containers":[{app}],"initContainers":[{init}]}}}}}}}}"#)
}

/// A Deployment of this many small containers that run as root.
fn small(containers: usize) -> String {
    let container = |number| {
        format!(
            r#"{{"name":"c{number}","image":"i","securityContext":{{"allowPrivilegeEscalation":true,"runAsUser":0}}}}"#
        )
    };
    let list: Vec<String> = (0..containers).map(container).collect();
    format!(
        r#"{{"spec":{{"template":{{"spec":{{"containers":[{}]}}}}}}}}"#,
        list.join(",")
    )
}

/// How many containers and capabilities are kept, and what is left.
fn kept(room: Room, json: &str) -> (usize, Room) {
    let mut left = room;
    let read = within(&mut left, || serde_json::from_str::<Workload<'_>>(json));
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

/// The purpose: thousands of small containers, each with violations.
#[test]
fn five_thousand_small_containers_are_judged_also_beside_the_stored_ones() {
    let json = small(5_000);
    let room = Room::of_review(json.len());
    let (parts, left) = kept(room, &json);
    assert_eq!((parts, left.is_exceeded_by_another()), (5_000, false));
    let (parts, left) = kept(left.of_stored(), &json);
    assert_eq!((parts, left.is_exceeded()), (5_000, false));
}

#[test]
fn a_larger_review_has_more_room_and_what_is_needed_is_within_it() {
    let mut before = 0;
    for bytes in [1 << 20, 3 << 20, 5 << 20] {
        let room = Room::of_review(bytes);
        let (parts, left) = kept(room, &object([0, 9_000], 0));
        assert_eq!((parts, left.is_exceeded()), (9_000, false), "{bytes}");
        // Nine capabilities each, so that it is bytes and not their number that ends it.
        let long = format!("\\n{}", "x".repeat(900));
        let added = vec![format!("\"{long}\""); 9].join(",");
        let container = format!(r#"{{"securityContext":{{"capabilities":{{"add":[{added}]}}}}}}"#);
        let list = vec![container; 1_000].join(",");
        let json = format!(r#"{{"spec":{{"template":{{"spec":{{"containers":[{list}]}}}}}}}}"#);
        let (parts, left) = kept(room, &json);
        assert!(
            left.is_exceeded() == (parts < 10_000) && left.needed() <= room.bytes,
            "{bytes}: {left:?}"
        );
        assert!(parts > before + 500, "{bytes}: {parts}, {before} before");
        before = parts.min(9_000);
    }
}

/// Otherwise what an update leaves as it is would look new.
#[test]
fn where_an_object_fits_beside_the_stored_one_that_is_read_whole() {
    let room = Room::of_review(0);
    let (mut fitted, mut exceeded) = (0, 0);
    for count in (100..5_000).step_by(100) {
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
    let panicked = std::panic::catch_unwind(|| within(&mut Room::default(), || panic!("a defect")));
    assert!(panicked.is_err());
    assert_eq!(all(&json).expect("readable"), MOST_PARTS);
}
