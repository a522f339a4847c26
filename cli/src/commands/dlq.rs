//! `beckn-health dlq`: what could not be delivered or handled.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand, value_parser};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::deployment::DeploymentArgument;
use super::{now, say, say_json, table};
use crate::failure::Failure;
use crate::operator::dead_letters::{self, Depth, Holds, Letter, MAX_SHOWN, Progress};

/// List, look at and move back dead letters.
#[derive(Subcommand)]
pub enum Dlq {
    /// Every dead-letter queue of a deployment and how many messages rest in it
    #[command(
        after_help = "The counts are SQS's own and may lag by a minute.\n\nExamples:\n  beckn-health dlq list --deployment beckn-health-dev\n  AWS_ENDPOINT_URL=http://127.0.0.1:4566 beckn-health dlq list # of `up --aws-port 4566`\n  beckn-health dlq list --json"
    )]
    List(List),
    /// The messages of a dead-letter queue, without removing them
    #[command(
        after_help = "SQS has no way to look without receiving: the messages are received, hidden from others while they are read, and made visible again at once (should the command be interrupted: after 30 seconds). Each look raises a message's receive count by one, which nothing depends on in a dead-letter queue.\n\nExamples:\n  beckn-health dlq show bpp-callbacks --deployment beckn-health-dev\n  beckn-health dlq show bpp-callbacks-dlq --max 100 --json\n  beckn-health dlq show bpp-on-init --body     # personal data: mind who looks over your shoulder"
    )]
    Show(Show),
    /// Move the messages of a dead-letter queue back to where they came from
    #[command(
        after_help = "Put right first what made them fail, or they are back in a few minutes. SQS moves them itself (StartMessageMoveTask); the command waits and tells how far it is, and a command that is interrupted can be given again: it follows the move that runs. Where the endpoint has no such operation, as some emulators, messages are received, sent and only then deleted, one by one.\n\nA callback is tried at least once more, even if its time to live has passed.\n\nExamples:\n  beckn-health dlq redrive bpp-callbacks --deployment beckn-health-dev\n  beckn-health dlq redrive bpp-on-init --max-per-second 10"
    )]
    Redrive(Redrive),
}

/// `dlq list`.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    deployment: DeploymentArgument,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `dlq show`.
#[derive(Args)]
pub struct Show {
    /// The queue, with or without -dlq and the deployment's name
    queue: String,
    #[command(flatten)]
    deployment: DeploymentArgument,
    /// Most messages to show
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=i64::from(MAX_SHOWN)))]
    max: u32,
    /// Show each message whole: it holds personal data
    #[arg(long)]
    body: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `dlq redrive`.
#[derive(Args)]
pub struct Redrive {
    /// The queue, with or without -dlq and the deployment's name
    queue: String,
    #[command(flatten)]
    deployment: DeploymentArgument,
    /// Most messages to move each second; as fast as SQS can when absent
    #[arg(long, value_parser = value_parser!(u32).range(1..=500))]
    max_per_second: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Dlq {
    /// Runs the command.
    ///
    /// # Errors
    /// AWS cannot be asked, or there is no such deployment or queue, or the move failed.
    pub async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                let depths = dead_letters::list(&list.deployment.reach().await?).await?;
                if list.json {
                    say_json(&depths.iter().map(depth_json).collect());
                } else {
                    depth_lines(&depths).iter().for_each(|line| say(line));
                }
            }
            Self::Show(show) => {
                let deployment = show.deployment.reach().await?;
                let queue = dead_letters::named(&deployment, &show.queue)?;
                let letters = dead_letters::show(&deployment, &queue, show.max).await?;
                if show.json {
                    say_json(&letters.iter().map(|letter| letter_json(letter, now(), show.body)).collect());
                } else if letters.is_empty() {
                    say(&format!("{} is empty", queue.name));
                } else {
                    letter_lines(&letters, now(), show.body).iter().for_each(|line| say(line));
                }
            }
            Self::Redrive(redrive) => {
                let deployment = redrive.deployment.reach().await?;
                let queue = dead_letters::named(&deployment, &redrive.queue)?;
                let on_terminal = std::io::stderr().is_terminal();
                let mut told = None;
                let moved = dead_letters::redrive(&deployment, &queue, redrive.max_per_second, |progress: Progress| {
                    if on_terminal && told != Some(progress) {
                        eprintln!("{}", progress_line(progress));
                        told = Some(progress);
                    }
                })
                .await?;
                if redrive.json {
                    say_json(&json!({
                        "queue": queue.name, "moved": moved.messages, "one_by_one": moved.one_by_one,
                    }));
                } else {
                    let way = if moved.one_by_one {
                        " one by one: this endpoint has no operation that moves messages"
                    } else {
                        ""
                    };
                    say(&format!("{} moved out of {}{way}", count(moved.messages), queue.name));
                }
            }
        }
        Ok(())
    }
}

fn count(messages: u64) -> String {
    format!("{messages} message{}", if messages == 1 { "" } else { "s" })
}

fn progress_line(progress: Progress) -> String {
    match progress.of {
        Some(of) => format!("{} of {of} moved", progress.moved),
        None => format!("{} moved", progress.moved),
    }
}

fn depth_json(depth: &Depth) -> Value {
    let (holds, of) = match depth.queue.holds {
        Holds::MessagesOf(queue) => ("messages", queue),
        Holds::ReportsOf(function) => ("reports", function),
    };
    json!({
        "queue": depth.queue.name, "holds": holds, "of": of,
        "messages": depth.messages(), "visible": depth.visible, "in_flight": depth.in_flight,
    })
}

fn depth_lines(depths: &[Depth]) -> Vec<String> {
    let rows = depths.iter().map(|depth| {
        let flight =
            if depth.in_flight > 0 { format!("{} being read or moved", depth.in_flight) } else { String::new() };
        [depth.queue.name.clone(), depth.messages().to_string(), flight]
    });
    let mut lines = table(["QUEUE", "MESSAGES", ""], rows);
    let filled: Vec<&str> =
        depths.iter().filter(|depth| depth.messages() > 0).map(|depth| depth.queue.name.as_str()).collect();
    lines.push(String::new());
    lines.push(match filled.first() {
        None => "Nothing rests there: all is well.".to_owned(),
        Some(first) => format!("Look at them with `beckn-health dlq show {first}`."),
    });
    lines
}

fn letter_json(letter: &Letter, now: Timestamp, body: bool) -> Value {
    let mut json = json!({
        "id": letter.id, "sent_at": letter.sent_at, "age_seconds": age(letter, now), "receive_count": letter.receive_count,
        "subscriber": letter.subscriber, "action": letter.action, "transaction_id": letter.transaction_id,
        "message_id": letter.message_id,
    });
    if body {
        json["body"] = serde_json::from_str(&letter.body).unwrap_or_else(|_| json!(letter.body));
    }
    json
}

fn letter_lines(letters: &[Letter], now: Timestamp, body: bool) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut lines = Vec::new();
    for letter in letters {
        let received = letter.receive_count.map_or_else(String::new, |count| format!(", received {count} times"));
        let age = age(letter, now).map_or_else(|| "of unknown age".to_owned(), |age| format!("{} old", in_words(age)));
        lines.push(letter.id.clone());
        lines.push(format!("  {} of {}, {age}{received}", text(&letter.action), text(&letter.subscriber)));
        lines.push(format!("  transaction {}", text(&letter.transaction_id)));
        lines.push(format!("  message     {}", text(&letter.message_id)));
        if body {
            lines.push(format!("  {}", letter.body));
        }
    }
    lines
}

/// Seconds since the message was first sent.
fn age(letter: &Letter, now: Timestamp) -> Option<i64> {
    letter.sent_at.map(|sent_at| now.as_second().saturating_sub(sent_at.as_second()).max(0))
}

/// A length of time in its two largest units.
fn in_words(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min")
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn letter() -> Letter {
        Letter {
            id: "sqs-1".to_owned(),
            sent_at: "2026-11-23T03:00:00Z".parse().ok(),
            receive_count: Some(13),
            subscriber: Some("bap.example".to_owned()),
            action: Some("on_init".to_owned()),
            transaction_id: Some("t-1".to_owned()),
            message_id: None,
            body: r#"{"message":{"name":"Nila"}}"#.to_owned(),
        }
    }

    #[test]
    fn a_body_is_shown_on_demand_alone() {
        let now = "2026-11-23T05:30:05Z".parse().unwrap();
        let lines = letter_lines(&[letter()], now, false).join("\n");
        assert_eq!(
            lines,
            "sqs-1\n  on_init of bap.example, 2 h 30 min old, received 13 times\n  transaction t-1\n  message     -"
        );
        assert!(letter_lines(&[letter()], now, true).join("\n").contains("Nila"));
        assert_eq!(letter_json(&letter(), now, false).get("body"), None);
        assert_eq!(letter_json(&letter(), now, true)["body"]["message"]["name"], "Nila");
        assert_eq!(letter_json(&letter(), now, false)["age_seconds"], 9_005);
    }

    #[test]
    fn a_length_of_time_has_two_units() {
        assert_eq!(in_words(5), "5 s");
        assert_eq!(in_words(125), "2 min");
        assert_eq!(in_words(90_000), "1 d 1 h");
    }
}
