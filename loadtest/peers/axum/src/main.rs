//! Webhooks on axum, the usual Rust stack, in two accept loops. By axum-server:
//!
//! - `constant`, the floor: reads the body and answers the same bytes, whatever the request. The difference to it is the cost
//!   of reading the review.
//! - `echo`, the floor where a real API server asks, which accepts only an answer with its request's uid: reads that and
//!   nothing else, and allows.
//! - `decode`: reads the review into kube's and k8s-openapi's types, as their documentation shows, and allows.
//! - `deny`: reads it the same way, and denies.
//!
//! `hyper-constant`, `hyper-decode`, `hyper-deny`: the same on hyper and tokio-rustls by hand ([`by_hand`]).

mod by_hand;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use k8s_openapi::api::apps::v1::Deployment;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};

const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

/// As many bytes as dorgu's answer to a compliant review. [`UID`] is in it.
const ANSWER: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true,"status":{"metadata":{},"message":"all persona checks passed","code":200},"auditAnnotations":{"mode":"enforcing","persona":"app-000007","rules":""}}}"#;

async fn constant(body: Bytes) -> impl IntoResponse {
    std::hint::black_box(body);
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}

async fn echo(body: Bytes) -> impl IntoResponse {
    match uid(&body) {
        Some(uid) => ([(CONTENT_TYPE, "application/json")], ANSWER.replace(UID, uid)).into_response(),
        None => (StatusCode::BAD_REQUEST, "no uid").into_response(),
    }
}

/// The first in the body, where an API server writes it.
fn uid(body: &[u8]) -> Option<&str> {
    let key = br#""uid":""#;
    let start = body.windows(key.len()).position(|window| window == key)? + key.len();
    str::from_utf8(body.get(start..start + UID.len())?).ok()
}

async fn decode(Json(review): Json<AdmissionReview<Deployment>>) -> Json<AdmissionReview<DynamicObject>> {
    Json(response(review).into_review())
}

async fn deny(Json(review): Json<AdmissionReview<Deployment>>) -> Json<AdmissionReview<DynamicObject>> {
    Json(response(review).deny("this webhook refuses everything").into_review())
}

fn response(review: AdmissionReview<Deployment>) -> AdmissionResponse {
    let request: Result<AdmissionRequest<Deployment>, _> = review.try_into();
    match request {
        Ok(request) => AdmissionResponse::from(&request),
        Err(error) => AdmissionResponse::invalid(error.to_string()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address, folder] = arguments.as_slice() else {
        bail!("usage: axum-peer [hyper-](constant|echo|decode|deny) ADDRESS CERTIFICATE-FOLDER");
    };
    let (handler, by_hand) = match kind.strip_prefix("hyper-") {
        Some(handler) => (handler, true),
        None => (kind.as_str(), false),
    };
    let handler = match handler {
        "constant" => post(constant),
        "echo" => post(echo),
        "decode" => post(decode),
        "deny" => post(deny),
        other => bail!("'{other}' is not one of constant, echo, decode, deny"),
    };
    let app = Router::new()
        .route("/validate-deployment", handler)
        .layer(axum::extract::DefaultBodyLimit::max(20 << 20));
    // One may be installed already, which is sufficient.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = PathBuf::from(folder);
    let tls = RustlsConfig::from_pem_file(folder.join("tls.crt"), folder.join("tls.key"))
        .await
        .context("cannot read the certificate")?;
    let address: SocketAddr = address.parse().context("ADDRESS is not an address")?;
    if by_hand {
        return by_hand::serve(address, tls.get_inner(), app).await;
    }
    axum_server::bind_rustls(address, tls)
        .serve(app.into_make_service())
        .await?;
    Ok(())
}
