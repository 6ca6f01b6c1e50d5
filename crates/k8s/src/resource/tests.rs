//! Kinds of Rust types, kinds found at run time, and the requests for both.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

fn found(kind: &str, plural: &str, namespaced: bool) -> Value {
    json!({"name": plural, "singularName": "", "kind": kind, "namespaced": namespaced, "verbs": ["list", "watch"]})
}

/// An API server with one group in two versions, and the core group.
fn client() -> Client {
    let served = |path: &str| match path {
        "/apis" => json!({"kind": "APIGroupList", "groups": [{
            "name": "example.com",
            "versions": [
                {"groupVersion": "example.com/v1", "version": "v1"},
                {"groupVersion": "example.com/v2beta1", "version": "v2beta1"},
            ],
            "preferredVersion": {"groupVersion": "example.com/v1", "version": "v1"},
        }]}),
        "/apis/example.com/v1" => json!({
            "kind": "APIResourceList", "groupVersion": "example.com/v1",
            "resources": [found("Mouse", "mice", true), found("Mouse", "mice/status", true)],
        }),
        "/apis/example.com/v2beta1" => json!({
            "kind": "APIResourceList", "groupVersion": "example.com/v2beta1",
            "resources": [found("Mouse", "mice", false)],
        }),
        "/api" => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        "/api/v1" => json!({
            "kind": "APIResourceList", "groupVersion": "v1", "resources": [found("Node", "nodes", false)],
        }),
        _ => Value::Null,
    };
    let service = service_fn(move |request: Request<Body>| {
        let answer = served(request.uri().path());
        let status = if answer.is_null() {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        };
        let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
        *response.status_mut() = status;
        async { Ok::<_, Infallible>(response) }
    });
    Client::new(service, "default")
}

#[test]
fn a_type_names_its_own_paths() {
    let (deployments, nodes) = (Resource::of::<Deployment>(), Resource::of::<Node>());
    assert_eq!(deployments.api_version(), "apps/v1");
    assert_eq!(
        deployments.collection("shop"),
        "/apis/apps/v1/namespaces/shop/deployments"
    );
    assert_eq!(nodes.collection(""), "/api/v1/nodes");
    assert!(deployments.namespaced && !nodes.namespaced);
}

#[tokio::test]
async fn a_kind_is_found_in_the_preferred_version_or_in_the_one_that_is_named() {
    let client = client();
    let mice = discover(&client, "example.com", None, "Mouse")
        .await
        .expect("an answer")
        .expect("found");
    assert_eq!(
        (mice.api_version(), &*mice.plural, mice.namespaced),
        ("example.com/v1".to_owned(), "mice", true)
    );
    let beta = discover(&client, "example.com", Some("v2beta1"), "Mouse")
        .await
        .expect("an answer")
        .expect("found");
    assert_eq!((&*beta.version, beta.namespaced), ("v2beta1", false));
    let nodes = discover(&client, "", Some("v1"), "Node").await.expect("an answer");
    assert_eq!(nodes, Some(Resource::of::<Node>()));
}

#[tokio::test]
async fn a_kind_that_is_not_served_is_none() {
    let client = client();
    for (group, version, kind) in [
        ("example.com", None, "Cat"),
        ("example.com", Some("v3"), "Mouse"),
        ("example.org", None, "Mouse"),
    ] {
        let found = discover(&client, group, version, kind).await.expect("an answer");
        assert_eq!(found, None, "{group} {version:?} {kind}");
    }
}

#[test]
fn a_scope_becomes_the_path_and_the_selectors() {
    let name = Name {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
    };
    let one = Resource::of::<Deployment>().named(name);
    assert_eq!(one.path(), "/apis/apps/v1/namespaces/shop/deployments");
    assert_eq!(one.field_selector().as_deref(), Some("metadata.name=web"));
    assert_eq!(one.label_selector(), None);
    let labelled = Followed {
        scope: Scope {
            labels: "app=web".to_owned(),
            ..Scope::default()
        },
        ..Followed::from(Resource::of::<Deployment>())
    };
    assert_eq!(labelled.path(), "/apis/apps/v1/deployments");
    assert_eq!(
        (labelled.field_selector(), labelled.label_selector().as_deref()),
        (None, Some("app=web"))
    );
}
