//! An admission webhook on kubert's server, with Linkerd's defaults: certificates are read again for every connection, idle
//! connections are closed after two seconds. It collects the body and reads the review into kube's types.
//!
//! - `allow`: allows what it could read.
//! - `deny`: denies everything.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response, StatusCode};
use k8s_openapi::api::apps::v1::Deployment;
use kube_core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use kubert::server::ServerArgs;

/// What becomes of a review that could be read.
#[derive(Clone, Copy)]
enum Verdict {
    Allow,
    Deny,
}

async fn answer(verdict: Verdict, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
    if request.method() != Method::POST || request.uri().path() != "/validate-deployment" {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let body = request.into_body().collect().await.map_err(Failure::Body)?.to_bytes();
    let review = serde_json::from_slice::<AdmissionReview<Deployment>>(&body);
    let request = review
        .map_err(|error| error.to_string())
        .and_then(|review| review.try_into().map_err(|error| format!("{error}")));
    let response = match request {
        Ok(request) => judge(verdict, &request),
        Err(reason) => AdmissionResponse::invalid(reason),
    };
    let bytes = serde_json::to_vec(&response.into_review()).map_err(Failure::Answer)?;
    Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(bytes))
        .map_err(Failure::Response)
}

fn judge(verdict: Verdict, request: &AdmissionRequest<Deployment>) -> AdmissionResponse {
    let response = AdmissionResponse::from(request);
    match verdict {
        Verdict::Allow => response,
        Verdict::Deny => response.deny("this webhook refuses everything"),
    }
}

/// Why a request was not answered.
#[derive(Debug)]
enum Failure {
    Body(hyper::Error),
    Answer(serde_json::Error),
    Response(hyper::http::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Body(error) => write!(out, "cannot read the body: {error}"),
            Failure::Answer(error) => write!(out, "cannot write the answer: {error}"),
            Failure::Response(error) => write!(out, "cannot make the answer: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address, folder] = arguments.as_slice() else {
        bail!("usage: kubert-peer allow|deny ADDRESS CERTIFICATE-FOLDER");
    };
    let verdict = match kind.as_str() {
        "allow" => Verdict::Allow,
        "deny" => Verdict::Deny,
        other => bail!("'{other}' is not one of allow, deny"),
    };
    let address: SocketAddr = address.parse().context("ADDRESS is not an address")?;
    let folder = PathBuf::from(folder);
    let path = |name: &str| folder.join(name).display().to_string();
    let arguments = ServerArgs {
        server_addr: address,
        server_tls_key: Some(path("tls.key").parse()?),
        server_tls_certs: Some(path("tls.crt").parse()?),
    };
    let (shutdown, drain) = kubert::shutdown::sigint_or_sigterm()?;
    let service = tower::service_fn(move |request| answer(verdict, request));
    let server = arguments.bind().await?.spawn(service, drain);
    shutdown.signaled().await?;
    server.join().await?;
    Ok(())
}
