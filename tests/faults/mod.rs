//! The fault bench: the detector between edges that fail in every way we know of, thousands of times, and whether anything
//! was lost. `make faults` runs it long; `cargo test` runs it short.
//!
//! - [`world`]: what happens in a run: logs, and how the news of them comes
//! - [`kinds`], [`plan`]: what goes wrong, and when
//! - [`rule_files`]: the bucket of rules, and what becomes of it
//! - [`edge`]: S3 and SNS with those faults in between
//! - [`lambda`]: asynchronous invocation and the queues of `template.yaml`
//! - [`in_process`]: the detector in this process, thousands of times
//! - [`process`]: the real binary before a local AWS, for a sample
//! - [`books`]: what was expected against what became of it

mod books;
mod edge;
mod in_process;
mod kinds;
mod lambda;
mod plan;
mod process;
mod rule_files;
mod world;

use std::{collections::BTreeSet, env, future::Future, net::SocketAddr, sync::Arc, thread};

use aws_sdk_s3::primitives::ByteStream;
use fastrand::Rng;
use serde_json::Value;

use crate::{
    end_to_end::{Helper, aws_at, subscribe},
    samples::BUCKET,
};
use books::{Books, Expected};
use edge::{Aws, Delivered, Edge, Memory};
use in_process::InProcess;
use kinds::Kind;
use lambda::{Function, Lambda, Numbers};
use plan::Plan;
use process::{Process, Upstream};
use world::World;

/// What a run came to: once with its faults, and once more when their cause is removed and what was parked is moved back.
async fn run<A: Aws>(
    world: &World,
    numbers: Numbers,
    seed: u64,
    edge: &Edge<A>,
    function: &mut impl Function,
) -> Books {
    let mut lambda = Lambda::new(edge, numbers, Rng::with_seed(seed));
    for (at, notice) in world.notices.iter().enumerate() {
        lambda.notify(world.way, at, notice.body.clone(), world.pause * u32::try_from(at).unwrap());
    }
    let mut books = Books::default();
    lambda.run(function).await;
    books.parked = lambda.parked.iter().map(|message| message.notice).collect();
    books.delivered_with_faults = edge.state().delivered.len();
    edge.state().end_of_faults();
    lambda.move_parked_back();
    lambda.run(function).await;
    books.parked_for_ever = lambda.parked.iter().map(|message| message.notice).collect();
    books.handled = lambda.handled;
    let mut state = edge.state();
    books.delivered = std::mem::take(&mut state.delivered);
    books.requests = state.requests;
    books.hits = std::mem::take(&mut state.plan.hits);
    books.removed = std::mem::take(&mut state.removed_told);
    books.rules_left_out = std::mem::take(&mut state.rules.left_out);
    books.rules_removed = std::mem::take(&mut state.rules.removed);
    books.struck_warm = state.rules.struck_warm;
    books
}

/// A run of the detector in this process.
fn run_here(world: &World, plan: Plan, numbers: Numbers, seed: u64) -> Books {
    // What the SDK draws, too.
    fastrand::seed(seed);
    let edge = Arc::new(Edge::new(Memory { objects: world.objects.clone() }, plan, world.rules));
    let mut function = InProcess::new(edge.clone(), numbers.timeout, world.rules.is_some());
    let mut books = on_a_clock_that_does_not_wait(run(world, numbers, seed, &edge, &mut function));
    books.wrong = function.wrong;
    books
}

fn on_a_clock_that_does_not_wait<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// One run with faults and one without, both reconciled with what there is to find.
fn reconciled(number: u64, seed: u64, numbers: &[Numbers]) -> Books {
    let mut rng = rng(seed, number);
    let first = nth(&Kind::ALL, number);
    let world = World::draw(&mut rng, &format!("{number:06}"), first.place().is_rules());
    // Short timeouts mean many more attempts in the same day, and nothing else: they are drawn less often.
    let numbers = numbers[[2, 2, 4, 5, 6, 6, 6, rng.usize(..numbers.len())][rng.usize(..8)]];
    let plan = Plan::draw(&mut rng, first, &Kind::ALL, &world, false);
    let expected = Expected::of(&world);
    let mut plain = run_here(&world, Plan::default(), numbers, rng.u64(..));
    plain.reconcile(&world, &expected);
    let mut books = run_here(&world, plan.clone(), numbers, rng.u64(..));
    books.reconcile(&world, &expected);
    books.add_plain(plain);
    books.blame(number, seed, &plan);
    books
}

fn rng(seed: u64, number: u64) -> Rng {
    Rng::with_seed(seed.wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// One kind after the other, so that enough runs meet all of them.
fn nth(kinds: &[Kind], number: u64) -> Kind {
    kinds[usize::try_from(number).unwrap() % kinds.len()]
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

fn seed() -> u64 {
    number("BEDROCK_AUDIT_FAULT_SEED", 1)
}

fn settle(total: &Books, what: &str, kinds: &[Kind], enough: bool) {
    println!("{}", total.report(what, seed(), kinds));
    let first: Vec<String> = total.problems.iter().take(10).cloned().collect();
    assert!(first.is_empty(), "{}", first.join("\n"));
    let never: Vec<&Kind> = kinds.iter().filter(|kind| !total.hits.contains_key(kind)).collect();
    assert!(never.is_empty() || !enough, "never injected: {never:?}");
}

/// The promise of the product, measured: whatever goes wrong, every finding arrives, or its notification is parked.
#[test]
fn whatever_goes_wrong_nothing_is_lost() {
    let runs = number("BEDROCK_AUDIT_FAULT_RUNS", 200);
    let numbers = Numbers::read();
    let threads = thread::available_parallelism().map_or(2, usize::from) as u64;
    let mut total = Books::default();
    thread::scope(|scope| {
        let numbers = &numbers;
        let work = |at| {
            move || {
                let mut books = Books::default();
                for run in (at..runs).step_by(usize::try_from(threads).unwrap()) {
                    books.add(reconciled(run, seed(), numbers));
                }
                books
            }
        };
        let workers: Vec<_> = (0..threads).map(|at| scope.spawn(work(at))).collect();
        workers.into_iter().for_each(|worker| total.add(worker.join().unwrap()));
    });
    // Fewer runs do not meet every kind.
    settle(&total, "the detector in this process", &Kind::ALL, runs >= 200);
}

/// The same with the real binary, over real connections, before a local AWS. Time is real here, so nothing stalls.
#[test]
fn whatever_goes_wrong_the_real_binary_loses_nothing() {
    let runs = number("BEDROCK_AUDIT_FAULT_PROCESS_RUNS", 8);
    // The last first: what ends a process is best seen on a real one.
    let kinds: Vec<Kind> = Kind::ALL.into_iter().rev().filter(|kind| !kind.stalls()).collect();
    let aws = Helper::start("tests/local/local_aws.py", &[], &[]);
    let endpoint = aws.said()["endpoint"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = runtime.block_on(LocalAws::start(&endpoint));
    let mut total = Books::default();
    for run in 0..runs {
        let mut rng = rng(seed(), run);
        let first = nth(&kinds, run);
        let world = World::draw(&mut rng, &format!("{run:06}"), first.place().is_rules());
        let numbers = Numbers::read()[2];
        let plan = Plan::draw(&mut rng, first, &kinds, &world, true);
        let mut books = runtime.block_on(local.run(&world, plan.clone(), numbers, rng.u64(..)));
        books.reconcile(&world, &Expected::of(&world));
        books.blame(run, seed(), &plan);
        total.add(books);
    }
    settle(&total, "the real binary", &kinds, runs >= 60);
}

/// A bucket and two topics with a queue each, on a local AWS.
struct LocalAws {
    upstream: Upstream,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    findings_queue: String,
}

impl LocalAws {
    async fn start(endpoint: &str) -> Self {
        let aws = aws_at(endpoint);
        let (s3, sns) = (aws_sdk_s3::Client::new(&aws), aws_sdk_sns::Client::new(&aws));
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder();
        let place = place.location_constraint("eu-central-1".into()).build();
        s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
        let mut topics = Vec::new();
        for name in ["findings", "alerts"] {
            topics.push(sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap());
        }
        let queue = sqs.create_queue().queue_name("findings").send().await.unwrap().queue_url.unwrap();
        subscribe(&sns, &topics[0], "findings", &[("RawMessageDelivery", "true")]).await;
        let address: SocketAddr = endpoint.trim_start_matches("http://").parse().unwrap();
        let [findings_topic, alerts_topic] = <[_; 2]>::try_from(topics).unwrap();
        Self { upstream: Upstream { address, findings_topic, alerts_topic }, s3, sqs, findings_queue: queue }
    }

    async fn run(&self, world: &World, plan: Plan, numbers: Numbers, seed: u64) -> Books {
        for (path, (bytes, _)) in &world.objects {
            let key = path.split_once(BUCKET).unwrap().1.trim_start_matches('/');
            let body = ByteStream::from(bytes.clone());
            self.s3.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
        }
        let edge = Arc::new(Edge::new(self.upstream.clone(), plan, world.rules));
        let rules = world.rules.is_some();
        let mut function = Process::new(edge.clone(), self.upstream.clone(), numbers.timeout, rules);
        let mut books = run(world, numbers, seed, &edge, &mut function).await;
        books.wrong = std::mem::take(&mut function.wrong.lock().unwrap());
        // What the edge saw pass is what the subscriber holds.
        let passed: BTreeSet<String> = books.delivered.iter().filter_map(Delivered::finding).map(uid).collect();
        let arrived = self.arrived().await;
        if passed != arrived {
            books.wrong.push(format!("SNS took {passed:?}, and {arrived:?} arrived"));
        }
        books
    }

    /// The ids of all findings that are in the subscriber's queue, which is emptied.
    async fn arrived(&self) -> BTreeSet<String> {
        let mut arrived = BTreeSet::new();
        loop {
            let request = self.sqs.receive_message().queue_url(&self.findings_queue).max_number_of_messages(10);
            let messages = request.wait_time_seconds(0).send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return arrived;
            }
            for message in messages {
                let delete = self.sqs.delete_message().queue_url(&self.findings_queue);
                delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
                arrived.insert(uid(&serde_json::from_str(&message.body.unwrap()).unwrap()));
            }
        }
    }
}

fn uid(finding: &Value) -> String {
    finding["finding_info"]["uid"].as_str().unwrap_or_default().to_owned()
}
