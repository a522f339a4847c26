//! `beckn-health catalogue`: makes, checks and loads catalogue files.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, value_parser};
use serde_json::json;

use super::deployment::DeploymentArgument;
use super::{read_catalogue, say, say_json, write};
use crate::failure::Failure;
use crate::operator::catalogue::{in_words, load, wait_until_published};
use crate::progress;
use crate::sample::{catalogue_json, sample_catalogue};

/// Make, check or load a provider's catalogue.
#[derive(Subcommand)]
pub enum CatalogueCommand {
    /// Write an invented city: facilities, practitioners, fees and schedules
    #[command(
        after_help = "The same number and seed always give the same catalogue; the one that ships with the project is   beckn-health catalogue sample --practitioners 300 --seed 1\n\nExample:\n  beckn-health catalogue sample --practitioners 100000 --out big.json"
    )]
    Sample {
        /// How many practitioners
        #[arg(long, default_value_t = 300)]
        practitioners: usize,
        /// Where the invention starts
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// File to write; standard output when absent
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Read a catalogue file and say what is wrong with it
    #[command(after_help = "Example:\n  beckn-health catalogue check clinic.json")]
    Check {
        /// The file
        file: PathBuf,
    },
    /// Store a catalogue in a deployment, in place of the one before it
    #[command(
        after_help = "What the catalogue no longer has is removed, orders and their slots stay. bpp-index makes the search from
what is stored, within seconds for a small city; with --wait the command returns when it has. Loading
again after a failure completes what was begun.\n\nExamples:\n  beckn-health catalogue load clinic.json --deployment beckn-health-dev --wait\n  AWS_ENDPOINT_URL=http://127.0.0.1:4566 beckn-health catalogue load clinic.json # on the local one"
    )]
    Load(Load),
}

/// `catalogue load`.
#[derive(Args)]
pub struct Load {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    deployment: DeploymentArgument,
    /// Wait until the catalogue can be found by search in every city
    #[arg(long)]
    wait: bool,
    /// Longest wait, in seconds
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400), requires = "wait")]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Load {
    async fn run(self) -> Result<(), Failure> {
        let catalogue = read_catalogue(&self.file)?;
        let deployment = self.deployment.reach().await?;
        let practitioners = catalogue.practitioners().len();
        let bar = progress::Bar::start("storing practitioners", practitioners);
        let stored = load(&deployment, &catalogue, |stored| bar.at(stored)).await?;
        bar.finish();
        if self.wait {
            let mut missing = in_words(&stored.cities);
            let published = wait_until_published(&deployment, &catalogue, &stored, |cities| missing = in_words(cities));
            let waited = tokio::time::timeout(Duration::from_secs(self.timeout), published).await;
            waited.map_err(|_| {
                Failure(format!(
                    "the catalogue is stored, but after {} seconds the search does not have it in {missing}; look at \
                     the log of {} and at `beckn-health dlq list`, or wait longer with --timeout",
                    self.timeout,
                    deployment.full("bpp-index")
                ))
            })??;
        }
        if self.json {
            say_json(&json!({
                "deployment": deployment.name().to_string(),
                "cities": stored.cities, "removed_cities": stored.removed,
                "facilities": catalogue.facilities().len(), "practitioners": practitioners,
                "published": self.wait,
            }));
        } else {
            let searched = if self.wait { " and can be searched" } else { "" };
            say(&format!(
                "{practitioners} practitioners in {} are stored in {}{searched}",
                in_words(&stored.cities),
                deployment.name()
            ));
            if !stored.removed.is_empty() {
                say(&format!("{} is no longer offered", in_words(&stored.removed)));
            }
        }
        Ok(())
    }
}

impl CatalogueCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The file cannot be read or written, or is not a catalogue, or the deployment cannot be used.
    pub async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Load(load) => load.run().await,
            Self::Sample { practitioners, seed, out } => {
                let catalogue = sample_catalogue(practitioners, seed)?;
                write(out.as_ref(), &catalogue_json(&catalogue)?)
            }
            Self::Check { file } => {
                let catalogue = read_catalogue(&file)?;
                let services: usize =
                    catalogue.practitioners().iter().map(|practitioner| practitioner.services.len()).sum();
                let count =
                    |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
                say(&format!(
                    "{} is a catalogue of {}, {}, {} and {}",
                    file.display(),
                    count(catalogue.cities().len(), "city", "cities"),
                    count(catalogue.facilities().len(), "facility", "facilities"),
                    count(catalogue.practitioners().len(), "practitioner", "practitioners"),
                    count(services, "service", "services"),
                ));
                Ok(())
            }
        }
    }
}
