//! `beckn-health doctor`: what keeps a participant from being heard.

use beckn_health_platform::clock::SystemClock;
use clap::Args;
use serde_json::{Value, json};

use super::base_url::base_url;
use super::key_argument::KeyArgument;
use super::paint::Paint;
use super::{say, say_json};
use crate::failure::Failure;
use crate::operator::diagnosis::{Check, Grade, examine};
use crate::operator::registry_client::RegistryClient;

/// Check a participant's clock, keys, registry row and address.
#[derive(Args)]
pub struct Doctor {
    /// Base URL of the registry
    #[arg(long, value_name = "URL", value_parser = base_url)]
    registry: String,
    #[command(flatten)]
    key: KeyArgument,
    /// Base URL at which the participant takes messages; that of its registry row when absent
    #[arg(long, value_parser = base_url)]
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Runs the command.
    ///
    /// # Errors
    /// The keys cannot be read, or something does not work.
    pub async fn run(self) -> Result<(), Failure> {
        let kept = self.key.reach().await?;
        let registry = RegistryClient::new(&self.registry)?;
        let mut checks = Vec::new();
        if let Some(mode) = kept.file.as_ref().and_then(|file| file.open_to_others()) {
            let found = format!("others than its owner may read {} (mode {mode:o})", kept.place);
            checks.push(Check::warn("key file", found, "chmod 600 it; if others did read it, rotate the key"));
        }
        checks.extend(examine(&kept.asker, &registry, self.url.as_deref(), &SystemClock).await);
        let failed = checks.iter().filter(|check| check.grade == Grade::Fail).count();
        if self.json {
            say_json(&json!({
                "subscriber_id": kept.asker.subscriber_id,
                "healthy": failed == 0,
                "checks": checks.iter().map(Check::to_json).collect::<Vec<Value>>(),
            }));
        } else {
            let paint = Paint::of_stdout();
            checks.iter().for_each(|check| say(&line(check, &paint)));
        }
        match failed {
            0 => Ok(()),
            1 => Err(Failure("one thing does not work; what to do is said beside it".to_owned())),
            count => Err(Failure(format!("{count} things do not work; what to do is said beside each"))),
        }
    }
}

/// One check on a line.
fn line(check: &Check, paint: &Paint) -> String {
    let word = format!("{:4}", check.grade.as_str());
    let word = match check.grade {
        Grade::Ok => paint.good(&word),
        Grade::Warn => paint.bold(&word),
        Grade::Fail => paint.bad(&word),
    };
    let advice = check.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("{word}  {:14}  {}{}", check.name, check.found, paint.bold(&advice))
}
