//! What stands around the real `bootstrap`: S3, SNS and SQS on loopback, and Lambda's Runtime API.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{
    balance,
    ocsf_schema::OcsfSchema,
    samples::{delete_guardrail, log, ordinary, repository},
};

pub(super) const REGION: &str = "eu-central-1";
pub(super) const ACCOUNT: &str = "123456789012";

pub(super) fn prepared(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run by `make test`, which builds and prepares all"))
}

/// A helper in Python that says where it listens on its first line, and ends when its stdin is closed.
pub(crate) struct Helper {
    said: Value,
    _stdin: ChildStdin,
    child: Child,
}

impl Helper {
    pub(crate) fn start(script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(prepared("BEDROCK_AUDIT_PYTHON"));
        command
            .arg(repository(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // Nothing of the caller's may lead to a real account.
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        let mut child = command.envs(environment.iter().copied()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{script} did not start: {line:?}"));
        Self { said, _stdin: child.stdin.take().unwrap(), child }
    }
}

impl Helper {
    /// What it said on its first line.
    pub(crate) fn said(&self) -> &Value {
        &self.said
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One local AWS for all tests; each has a bucket, topics and queues of its own. It ends with this process.
pub(crate) static AWS: LazyLock<Helper> = LazyLock::new(|| Helper::start("tests/local/local_aws.py", &[], &[]));
static NEXT: AtomicU32 = AtomicU32::new(0);

fn aws() -> SdkConfig {
    aws_at(AWS.said["endpoint"].as_str().unwrap())
}

/// A local AWS at this URL.
pub(crate) fn aws_at(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(Credentials::for_tests()))
        .build()
}

/// A bucket, two topics with a queue each, and the function.
pub(crate) struct Stack {
    pub(crate) bucket: String,
    pub(crate) findings_topic: String,
    pub(super) findings_queue: String,
    pub(crate) alerts_topic: String,
    pub(crate) alerts_queue: String,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) sns: aws_sdk_sns::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    function: Helper,
    pub(super) log: NamedTempFile,
}

/// What the function answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) failed: bool,
    pub(super) body: Value,
}

impl Stack {
    pub(crate) async fn new() -> Self {
        Self::named(None, &[]).await
    }

    pub(super) async fn named(bucket: Option<&str>, environment: &[(&str, &str)]) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let aws = aws();
        let (s3, sns, sqs) =
            (aws_sdk_s3::Client::new(&aws), aws_sdk_sns::Client::new(&aws), aws_sdk_sqs::Client::new(&aws));
        let bucket = bucket.map_or_else(|| format!("logs-{n}"), str::to_owned);
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
        s3.create_bucket().bucket(&bucket).create_bucket_configuration(place).send().await.unwrap();
        let mut topics = Vec::new();
        for name in ["findings", "alerts"] {
            let topic = sns.create_topic().name(format!("{name}-{n}")).send().await.unwrap().topic_arn.unwrap();
            let queue = sqs.create_queue().queue_name(format!("{name}-{n}")).send().await.unwrap().queue_url.unwrap();
            subscribe(&sns, &topic, &format!("{name}-{n}"), &[]).await;
            topics.push((topic, queue));
        }
        let log = NamedTempFile::new().unwrap();
        let mut set = vec![
            ("AWS_ENDPOINT_URL", AWS.said["endpoint"].as_str().unwrap()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("LOG_BUCKETS", bucket.as_str()),
            ("FINDINGS_TOPIC_ARN", topics[0].0.as_str()),
            ("ALERTS_TOPIC_ARN", topics[1].0.as_str()),
        ];
        set.extend_from_slice(environment);
        let bootstrap = prepared("BEDROCK_AUDIT_BOOTSTRAP");
        let arguments = ["--bootstrap", bootstrap.as_str(), "--log", log.path().to_str().unwrap()];
        let function = Helper::start("tests/local/local_lambda.py", &arguments, &set);
        let [(findings_topic, findings_queue), (alerts_topic, alerts_queue)] = <[_; 2]>::try_from(topics).unwrap();
        Self { bucket, findings_topic, findings_queue, alerts_topic, alerts_queue, s3, sns, sqs, function, log }
    }

    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) -> Option<String> {
        let body = aws_sdk_s3::primitives::ByteStream::from(bytes);
        self.s3.put_object().bucket(&self.bucket).key(key).body(body).send().await.unwrap().version_id
    }

    /// Invokes the function as Lambda's own callers do. Its books must hold, whatever it answers.
    pub(crate) async fn wake(&self, event: &Value) -> Answer {
        let (url, event) = (self.function.said["invoke"].as_str().unwrap().to_owned(), event.to_string());
        let answer = tokio::task::spawn_blocking(move || {
            let mut response = ureq::post(&url).send(event).unwrap();
            let failed = response.headers().contains_key("X-Amz-Function-Error");
            Answer { failed, body: serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap() }
        })
        .await
        .unwrap();
        let written = fs::read_to_string(self.log.path()).unwrap();
        assert_eq!(balance::problems_in(&written), Vec::<String>::new());
        answer
    }

    pub(crate) fn s3_event(&self, keys: &[&str]) -> Value {
        let record = |key: &&str| json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": self.bucket}, "object": {"key": key}}});
        json!({"Records": keys.iter().map(record).collect::<Vec<_>>()})
    }

    /// Everything that has arrived in a queue. Local SNS delivers before it answers, so nothing is still on its way.
    pub(crate) async fn arrived(&self, queue: &str) -> Vec<Value> {
        let mut bodies = Vec::new();
        loop {
            let request = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10).wait_time_seconds(0);
            let messages = request.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                let handle = message.receipt_handle.unwrap();
                self.sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await.unwrap();
                bodies.push(serde_json::from_str(&message.body.unwrap()).unwrap());
            }
        }
    }

    /// The findings that have arrived, each of them valid.
    pub(crate) async fn findings(&self) -> Vec<Value> {
        let schema = OcsfSchema::load();
        let mut findings = Vec::new();
        for envelope in self.arrived(&self.findings_queue).await {
            let finding: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
            assert_eq!(schema.violations(&finding), [""; 0]);
            assert_eq!(envelope["MessageAttributes"].as_object().unwrap().len(), 10);
            findings.push(finding);
        }
        findings
    }

    pub(crate) async fn titles(&self) -> Vec<String> {
        let mut titles: Vec<String> = self
            .findings()
            .await
            .iter()
            .map(|finding| finding["finding_info"]["title"].as_str().unwrap().to_owned())
            .collect();
        titles.sort();
        titles
    }

    /// The last ledger line that the function wrote.
    pub(super) fn ledger(&self) -> Value {
        let text = fs::read_to_string(self.log.path()).unwrap();
        let line = text.lines().rev().find(|line| line.contains("CloudWatchMetrics")).expect("no ledger line");
        let line: Value = serde_json::from_str(line).unwrap();
        line["ledger"].clone()
    }
}

/// Subscribes a queue to a topic.
pub(crate) async fn subscribe(sns: &aws_sdk_sns::Client, topic: &str, queue: &str, attributes: &[(&str, &str)]) {
    let mut request =
        sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"));
    for (name, value) in attributes {
        request = request.attributes(*name, *value);
    }
    request.send().await.unwrap();
}

pub(crate) fn bad_log() -> Vec<u8> {
    log(&[ordinary(1), delete_guardrail(2, &json!({})), ordinary(3)])
}
