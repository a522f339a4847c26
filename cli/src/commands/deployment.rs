//! The argument that names a deployment.

use clap::Args;

use crate::failure::Failure;
use crate::operator::{Deployment, DeploymentName};

/// Which deployment a command is about.
#[derive(Debug, Clone, Args)]
pub struct DeploymentArgument {
    /// The deployment, <NetworkName>-<Stage>; AWS is reached as the AWS SDK finds it (AWS_PROFILE, AWS_REGION,
    /// AWS_ENDPOINT_URL)
    #[arg(long, env = "BECKN_HEALTH_DEPLOYMENT", default_value = crate::network::DEPLOYMENT)]
    deployment: DeploymentName,
}

impl DeploymentArgument {
    /// The deployment, ready to be asked.
    ///
    /// # Errors
    /// No region is set.
    pub async fn reach(self) -> Result<Deployment, Failure> {
        Deployment::from_env(self.deployment).await
    }
}
