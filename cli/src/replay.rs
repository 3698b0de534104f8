//! `replay`: what the detector missed, through the detector's own path: parked messages, or the logs of the days when nobody
//! listened. Knows rules and findings no more than the Lambda's `main` does.

mod delivered;
mod outcome;
mod parked;

use std::{env, io, time::Duration};

use aws_config::SdkConfig;
use detector::{
    config::Config,
    deployed::{self, Detector},
};
use serde_json::{Value, json};
use time::{
    Date, OffsetDateTime, PrimitiveDateTime, Time, format_description::well_known::Rfc3339, macros::format_description,
};

use crate::{Ended, Format, complain, progress};
use outcome::{Outcome, Report};

/// What one pass of the detector may take: the longest that Lambda gives.
const TIME: Duration = Duration::from_secs(900);
/// Logs of one pass. People get one message for each.
const LOGS_AT_ONCE: usize = 25;

#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArguments {
    /// The URL of a queue with parked messages, or s3://BUCKET/PREFIX with --since
    #[arg(value_name = "QUEUE_URL|S3_URI")]
    source: String,
    /// Logs delivered since then (UTC): 2026-11-22, 2026-11-22T09:15Z. It is the time in a log's name, not that of its records
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// Logs delivered before then; now if it is not given
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<OffsetDateTime>,
    /// The topic for findings, in place of FINDINGS_TOPIC_ARN
    #[arg(long, value_name = "ARN")]
    findings_topic: Option<String>,
    /// The topic for people, in place of ALERTS_TOPIC_ARN; without either nobody gets mail
    #[arg(long, value_name = "ARN")]
    alerts_topic: Option<String>,
    /// The only buckets that are read, separated by commas, in place of LOG_BUCKETS; the one of the S3 URI by itself
    #[arg(long, value_name = "NAMES")]
    log_buckets: Option<String>,
    /// Only tell what would be replayed
    #[arg(long)]
    dry_run: bool,
    /// How outcomes are written: a table by default on a terminal, JSON otherwise, one log or message a line
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// One thing to replay: a notification, and what it is called in the report.
#[derive(Debug, Clone)]
struct Item {
    name: String,
    body: String,
}

pub(crate) fn replay(arguments: &ReplayArguments) -> io::Result<Ended> {
    // Built here and nowhere else: no other command waits for clients that it does not need.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(arguments))
        .map_err(io::Error::other)
}

async fn run(arguments: &ReplayArguments) -> Result<Ended, String> {
    let mut report = Report::new(arguments.format);
    let aws = deployed::aws().await;
    if aws.region().is_none() {
        return Err("no Region is set; set AWS_REGION to that of the bucket or the queue".to_owned());
    }
    match arguments.source.strip_prefix("s3://") {
        Some(place) => {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            logs(arguments, &aws, bucket, prefix, &mut report).await?;
        }
        None if arguments.source.starts_with("http") => {
            if arguments.since.is_some() || arguments.until.is_some() {
                return Err("--since and --until choose logs of an S3 URI; a queue is replayed whole".to_owned());
            }
            parked::replay(arguments, &aws, &mut report).await?;
        }
        None => return Err("give the URL of a queue (https://sqs...), or s3://BUCKET/PREFIX".to_owned()),
    }
    report.end().map_err(|error| error.to_string())
}

async fn logs(
    arguments: &ReplayArguments,
    aws: &SdkConfig,
    bucket: &str,
    prefix: &str,
    report: &mut Report,
) -> Result<(), String> {
    let since = arguments.since.ok_or("say since when with --since, as 2026-11-22 or 2026-11-22T09:15Z")?;
    let until = arguments.until.unwrap_or_else(OffsetDateTime::now_utc);
    if since >= until {
        return Err("--since is not before --until".to_owned());
    }
    // A wrong configuration is told before a long listing and not after it.
    let detector = if arguments.dry_run { None } else { Some(detector(arguments, aws, Some(bucket))?) };
    let looking = progress::bar(None, "{spinner} looking for logs");
    let listed = delivered::logs(&aws_sdk_s3::Client::new(aws), bucket, prefix, since, until).await;
    looking.finish_and_clear();
    let keys = listed?;
    if keys.is_empty() {
        complain(&format!("no log was delivered to {} in that time", arguments.source));
    }
    let bar = progress::bar(Some(keys.len() as u64), "{bar:40} {pos}/{len} logs, {eta} left");
    for some in keys.chunks(LOGS_AT_ONCE) {
        let items: Vec<Item> = some
            .iter()
            .map(|key| Item {
                name: format!("s3://{bucket}/{key}"),
                body: json!({"s3Bucket": bucket, "s3ObjectKey": [key]}).to_string(),
            })
            .collect();
        let outcomes = match &detector {
            Some(detector) => pass(detector, &items).await,
            None => items.iter().map(Outcome::planned).collect(),
        };
        bar.suspend(|| outcomes.into_iter().try_for_each(|outcome| report.enter(outcome)))
            .map_err(|error| error.to_string())?;
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The detector with the Lambda's configuration, which flags may replace.
fn detector(arguments: &ReplayArguments, aws: &SdkConfig, bucket: Option<&str>) -> Result<Detector, String> {
    let config = Config::read(|name| {
        let flag = match name {
            "FINDINGS_TOPIC_ARN" => arguments.findings_topic.clone(),
            "ALERTS_TOPIC_ARN" => arguments.alerts_topic.clone(),
            "LOG_BUCKETS" => arguments.log_buckets.clone().or_else(|| bucket.map(str::to_owned)),
            _ => None,
        };
        flag.or_else(|| env::var(name).ok())
    });
    deployed::detector(config.map_err(|error| with_options(&error.to_string()))?, aws)
}

/// What is wrong with the environment, and the options that stand for what it lacks.
fn with_options(error: &str) -> String {
    let options = [
        ("LOG_BUCKETS", "--log-buckets"),
        ("FINDINGS_TOPIC_ARN", "--findings-topic"),
        ("ALERTS_TOPIC_ARN", "--alerts-topic"),
    ];
    let named: Vec<String> = options
        .iter()
        .filter(|(variable, _)| error.contains(variable))
        .map(|(variable, option)| format!("{option} stands for {variable}"))
        .collect();
    if named.is_empty() { error.to_owned() } else { format!("{error}; here, {}", named.join(", ")) }
}

/// Hands these to the detector as one event, each a message of its own: what becomes of one is told apart from the others.
async fn pass(detector: &Detector, items: &[Item]) -> Vec<Outcome> {
    let invocation = detector.handle(event(items), TIME).await;
    Outcome::of(items, invocation)
}

fn event(items: &[Item]) -> Value {
    let message = |item: &Item| json!({"messageId": item.name, "eventSource": "aws:sqs", "body": item.body});
    json!({"Records": items.iter().map(message).collect::<Vec<_>>()})
}

/// A moment in UTC; a day alone is its first.
fn moment(text: &str) -> Result<OffsetDateTime, String> {
    if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Ok(PrimitiveDateTime::new(day, Time::MIDNIGHT).assume_utc());
    }
    if let Ok(minute) = PrimitiveDateTime::parse(text, format_description!("[year]-[month]-[day]T[hour]:[minute]Z")) {
        return Ok(minute.assume_utc());
    }
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "write it as 2026-11-22 or 2026-11-22T09:15Z".to_owned())
}
