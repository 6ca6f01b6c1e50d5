//! Finds the address and the credentials of the API server: in a named kubeconfig, in a kubeconfig at the usual places, or
//! in the pod that this process runs in.

use std::env;
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::error::error_chain;

/// The path of a pod's token.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The path of a pod's namespace.
const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// How the API server is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterSource {
    /// This kubeconfig.
    Kubeconfig(PathBuf),
    /// The file that `KUBECONFIG` names, or `~/.kube/config`.
    UsualKubeconfig,
    /// The pod that this process runs in.
    Pod,
}

/// Why no client can be built.
#[derive(Debug, thiserror::Error)]
pub enum ClusterSourceError {
    /// A kubeconfig that cannot be used.
    #[error("kubeconfig {place}: {reason}")]
    Kubeconfig {
        /// Its path.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The pod's own configuration is incomplete.
    #[error("in-cluster configuration: {0}")]
    Pod(String),
    /// The client cannot be built from it.
    #[error("cannot make a client for the API server: {0}")]
    Client(String),
}

impl ClusterSource {
    /// The source that applies: the named kubeconfig, a usual one that exists, the pod, in this order. `None` when there is
    /// none of these.
    pub fn find(named: Option<&Path>) -> Option<ClusterSource> {
        if let Some(file) = named {
            return Some(ClusterSource::Kubeconfig(file.to_owned()));
        }
        let given = env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
        let usual = || env::home_dir().is_some_and(|home| home.join(".kube/config").is_file());
        if given.is_some() || usual() {
            return Some(ClusterSource::UsualKubeconfig);
        }
        let in_pod = env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(TOKEN).is_file();
        in_pod.then_some(ClusterSource::Pod)
    }

    /// Reads the configuration. It sends no request, so an unreachable API server causes no error here.
    ///
    /// # Errors
    /// The configuration cannot be read or is incomplete.
    pub async fn config(&self) -> Result<Config, ClusterSourceError> {
        self.config_of(None).await
    }

    /// The same for a context of the kubeconfig other than its current one.
    ///
    /// # Errors
    /// The configuration cannot be read, is incomplete or has no such context.
    pub async fn config_of(&self, context: Option<&str>) -> Result<Config, ClusterSourceError> {
        let place = match self {
            ClusterSource::Kubeconfig(file) => file.display().to_string(),
            ClusterSource::UsualKubeconfig => "in KUBECONFIG or ~/.kube/config".to_owned(),
            ClusterSource::Pod => {
                return Config::incluster().map_err(|error| ClusterSourceError::Pod(error_chain(&error)));
            }
        };
        let options = KubeConfigOptions {
            context: context.map(str::to_owned),
            ..KubeConfigOptions::default()
        };
        let read = match self {
            ClusterSource::Kubeconfig(file) => match Kubeconfig::read_from(file) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            _ => Config::from_kubeconfig(&options).await,
        };
        read.map_err(|error| ClusterSourceError::Kubeconfig {
            reason: reason(&error, &place),
            place,
        })
    }
}

/// kube's reason without the path that `place` names already, and without kube's second quotes around other paths.
fn reason(error: &KubeconfigError, place: &str) -> String {
    match error {
        KubeconfigError::ReadConfig(cause, file) if file.display().to_string() == place => {
            format!("cannot be read: {cause}")
        }
        _ => error_chain(error).replace("'\"", "'").replace("\"'", "'"),
    }
}

impl ClusterSource {
    /// The namespace that the source itself names: the pod's, or that of the kubeconfig's current context.
    pub fn namespace(&self) -> Option<String> {
        let named = match self {
            ClusterSource::Pod => {
                return std::fs::read_to_string(NAMESPACE)
                    .ok()
                    .map(|name| name.trim().to_owned());
            }
            ClusterSource::Kubeconfig(file) => Kubeconfig::read_from(file),
            ClusterSource::UsualKubeconfig => Kubeconfig::read(),
        };
        // `config` reports what is wrong with it.
        let kubeconfig = named.ok()?;
        let current = kubeconfig.current_context?;
        let context = kubeconfig
            .contexts
            .into_iter()
            .find(|context| context.name == current)?;
        context.context?.namespace.filter(|namespace| !namespace.is_empty())
    }
}

/// A client, whose background work runs on the current runtime.
///
/// # Errors
/// Certificates or credentials in the configuration cannot be used.
pub fn client(config: Config) -> Result<Client, ClusterSourceError> {
    Client::try_from(config).map_err(|error| ClusterSourceError::Client(error_chain(&error)))
}
