//! Which events count as changes.

use super::{Known, Persona};
use crate::controllers::cluster::node::SeenNode;
use crate::k8s::{Decode, Event, Name};

fn node(name: &str, heartbeat: &str, ready: &str) -> SeenNode {
    let json = format!(
        r#"{{"metadata":{{"name":"{name}","resourceVersion":"{heartbeat}"}},"status":{{"conditions":[
            {{"type":"Ready","status":"{ready}","lastHeartbeatTime":"{heartbeat}"}}]}}}}"#
    );
    SeenNode::decode(&json).expect("a node")
}

fn persona(generation: u32, phase: &str) -> Persona {
    let json = format!(
        r#"{{"metadata":{{"name":"main","uid":"u","generation":{generation}}},"status":{{"phase":"{phase}"}}}}"#
    );
    Persona::decode(&json).expect("a persona")
}

fn name(name: &str) -> Name {
    Name {
        namespace: String::new(),
        name: name.to_owned(),
    }
}

fn listed<T>(objects: Vec<T>) -> Event<T> {
    Event::Listed {
        objects,
        unreadable: Vec::new(),
    }
}

/// Whether a change was signalled; reading it clears it.
fn is_news(known: &Known) -> bool {
    use futures_util::FutureExt;
    known.nodes_changed().now_or_never().is_some() || known.personas_changed().now_or_never().is_some()
}

#[test]
fn a_heartbeat_is_no_news_and_a_node_that_is_lost_is() {
    let known = Known::default();
    known.node(listed(vec![node("a", "1", "True"), node("b", "1", "True")]));
    assert!(is_news(&known));
    known.node(Event::Applied(node("a", "2", "True")));
    assert!(!is_news(&known));
    known.node(Event::Applied(node("a", "3", "Unknown")));
    assert!(is_news(&known));
    known.node(Event::Deleted(name("a")));
    assert!(is_news(&known));
    known.node(Event::Deleted(name("a")));
    assert!(!is_news(&known));
}

#[test]
fn our_own_echo_is_no_news_and_another_spec_is() {
    let known = Known::default();
    assert_eq!(known.personas(), None);
    known.persona(listed(Vec::new()));
    assert!(is_news(&known), "that there is none is news, once");
    known.persona(Event::Applied(persona(1, "")));
    assert!(is_news(&known));
    known.persona(Event::Applied(persona(1, "Ready")));
    assert!(!is_news(&known));
    known.persona(Event::Applied(persona(2, "Ready")));
    assert!(is_news(&known));
    assert_eq!(known.personas(), Some(vec!["main".to_owned()]));
}
