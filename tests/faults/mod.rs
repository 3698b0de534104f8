//! The fault bench: the detector between edges that fail in every way we know of, thousands of times, and whether anything
//! was lost. `make faults` runs it long; `cargo test` runs it short.
//!
//! - [`world`]: what happens in a run: logs, and how the news of them comes
//! - [`kinds`], [`plan`]: what goes wrong, and when
//! - [`edge`]: S3 and SNS with those faults in between
//! - [`lambda`]: asynchronous invocation and the queues of `template.yaml`
//! - [`in_process`]: the detector in this process, thousands of times
//! - [`books`]: what was expected against what became of it

mod books;
mod edge;
mod in_process;
mod kinds;
mod lambda;
mod plan;
mod world;

use std::{env, sync::Arc, thread};

use fastrand::Rng;

use books::{Books, Expected};
use edge::{Edge, Memory};
use in_process::InProcess;
use kinds::Kind;
use lambda::{Lambda, Numbers};
use plan::Plan;
use world::World;

/// A run of what happened in `world`, with these faults. Answers what it came to, once with them and once more when the
/// cause is removed and what was parked is moved back.
fn run(world: &World, plan: Plan, numbers: Numbers, seed: u64) -> Books {
    fastrand::seed(seed);
    let edge = Arc::new(Edge::new(Memory { objects: world.objects.clone() }, plan));
    let mut function = InProcess::new(edge.clone(), numbers.timeout);
    let mut lambda = Lambda::new(numbers, Rng::with_seed(seed));
    for (at, notice) in world.notices.iter().enumerate() {
        lambda.notify(world.way, at, notice.body.clone());
    }
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut books = Books::default();
    clock.block_on(lambda.run(&mut function));
    books.parked = lambda.parked.iter().map(|message| message.notice).collect();
    books.delivered_with_faults = edge.state().delivered.len();
    edge.state().plan.end();
    lambda.move_parked_back();
    clock.block_on(lambda.run(&mut function));
    books.parked_for_ever = lambda.parked.iter().map(|message| message.notice).collect();
    books.invocations = lambda.invocations;
    books.wrong = function.wrong;
    books.handled = function.invocations;
    let mut state = edge.state();
    books.delivered = std::mem::take(&mut state.delivered);
    books.requests = state.requests;
    books.hits = std::mem::take(&mut state.plan.hits);
    books.removed = std::mem::take(&mut state.removed_told);
    books
}

/// One run with faults, reconciled with one without.
fn reconciled(number: u64, seed: u64, numbers: &[Numbers]) -> Books {
    let mut rng = Rng::with_seed(seed.wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let world = World::draw(&mut rng, &format!("{number:06}"));
    // Short timeouts mean many more attempts in the same day, and nothing else: they are drawn less often.
    let numbers = numbers[[2, 2, 4, 5, 6, 6, 6, rng.usize(..numbers.len())][rng.usize(..8)]];
    let first = Kind::ALL[usize::try_from(number).unwrap() % Kind::ALL.len()];
    let plan = Plan::draw(&mut rng, first, &Kind::ALL, &world.logs);
    let plain = run(&world, Plan::default(), numbers, rng.u64(..));
    let mut books = run(&world, plan.clone(), numbers, rng.u64(..));
    let expected = Expected::of(&world, &plain);
    books.reconcile(&world, &expected);
    for problem in &mut books.problems {
        *problem = format!("run {number} of seed {seed}: {problem} (faults: {plan:?})");
    }
    books
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// The promise of the product, measured: whatever goes wrong, every finding arrives, or its notification is parked.
#[test]
fn whatever_goes_wrong_nothing_is_lost() {
    let (runs, seed) = (number("BEDROCK_AUDIT_FAULT_RUNS", 200), number("BEDROCK_AUDIT_FAULT_SEED", 1));
    let numbers = Numbers::read();
    let threads = thread::available_parallelism().map_or(2, usize::from) as u64;
    let mut total = Books::default();
    thread::scope(|scope| {
        let numbers = &numbers;
        let work = |at| {
            move || {
                let mut books = Books::default();
                for run in (at..runs).step_by(usize::try_from(threads).unwrap()) {
                    books.add(reconciled(run, seed, numbers));
                }
                books
            }
        };
        let workers: Vec<_> = (0..threads).map(|at| scope.spawn(work(at))).collect();
        workers.into_iter().for_each(|worker| total.add(worker.join().unwrap()));
    });
    println!("{}", total.report(seed));
    let never: Vec<&Kind> = Kind::ALL.iter().filter(|kind| !total.hits.contains_key(kind)).collect();
    assert!(total.problems.is_empty(), "{}", total.problems.iter().take(10).cloned().collect::<Vec<_>>().join("\n"));
    // Fewer runs than kinds cannot meet all of them.
    assert!(never.is_empty() || runs < 200, "never injected: {never:?}");
}
