//! What counts as news.

use std::sync::Arc;

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

/// Whether something is news; asking makes it old.
fn is_news(known: &Known) -> bool {
    use futures_util::FutureExt;
    known.news().now_or_never().is_some() || known.asked().now_or_never().is_some()
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
fn a_relist_that_says_the_same_is_no_news_and_keeps_what_there_is() {
    let known = Known::default();
    known.node(listed(vec![node("a", "1", "True"), node("b", "1", "True")]));
    assert!(is_news(&known));
    let before = known.nodes().expect("listed");
    known.node(listed(vec![node("b", "9", "True"), node("a", "9", "True")]));
    assert!(!is_news(&known));
    let after = known.nodes().expect("listed");
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| Arc::ptr_eq(before, after))
    );
    known.node(listed(vec![node("a", "9", "True")]));
    assert!(is_news(&known));
    assert_eq!(known.nodes().expect("listed").len(), 1);
}

#[test]
fn a_node_that_cannot_be_read_any_more_stays_as_it_was() {
    let known = Known::default();
    known.node(listed(vec![node("a", "1", "True")]));
    assert!(is_news(&known));
    known.node(Event::Listed {
        objects: Vec::new(),
        unreadable: vec![name("a"), name("never-read")],
    });
    assert!(!is_news(&known));
    assert_eq!(known.nodes().expect("listed").len(), 1);
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
