//! Two webhooks on one ordinary stack, axum over axum-server:
//!
//! - `constant`, the floor: reads the body and answers the same bytes, whatever it was asked. What is above it is the
//!   price of looking.
//! - `decode`: reads the review into kube's and k8s-openapi's types, as their documentation shows, and allows.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use k8s_openapi::api::apps::v1::Deployment;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};

/// As many bytes as dorgu's answer to a compliant review.
const ANSWER: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true,"status":{"metadata":{},"message":"all persona checks passed","code":200},"auditAnnotations":{"mode":"enforcing","persona":"app-000007","rules":""}}}"#;

async fn constant(body: Bytes) -> impl IntoResponse {
    std::hint::black_box(body);
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}

async fn decode(Json(review): Json<AdmissionReview<Deployment>>) -> Json<AdmissionReview<kube::core::DynamicObject>> {
    let request: Result<AdmissionRequest<Deployment>, _> = review.try_into();
    let response = match request {
        Ok(request) => AdmissionResponse::from(&request),
        Err(error) => AdmissionResponse::invalid(error.to_string()),
    };
    Json(response.into_review())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address, folder] = arguments.as_slice() else {
        bail!("usage: axum-peer constant|decode ADDRESS CERTIFICATE-FOLDER");
    };
    let app = match kind.as_str() {
        "constant" => Router::new().route("/validate-deployment", post(constant)),
        "decode" => Router::new().route("/validate-deployment", post(decode)),
        other => bail!("'{other}' is not one of constant, decode"),
    };
    let app = app.layer(axum::extract::DefaultBodyLimit::max(20 << 20));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = PathBuf::from(folder);
    let tls = RustlsConfig::from_pem_file(folder.join("tls.crt"), folder.join("tls.key"))
        .await
        .context("cannot read the certificate")?;
    let address: SocketAddr = address.parse().context("ADDRESS is not an address")?;
    axum_server::bind_rustls(address, tls)
        .serve(app.into_make_service())
        .await?;
    Ok(())
}
