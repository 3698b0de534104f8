//! What reading a trail costs: the whole pipeline against inflating alone and against parsing everything, all interleaved in one
//! process. `make bench` runs it, and `processes.py` beside it for whole processes. Ratios count; times depend on the machine.
//!
//! - [`trail`]: the files
//! - [`ways`]: what is done with them

#![allow(clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

mod trail;
mod ways;

use std::{env, fs, hint::black_box, path::Path, time::Duration};

use detection::rules::RuleSet;
use rustix::time::{ClockId, clock_gettime};

use trail::{FILES, Trail, trail};
use ways::{ONE_MORE, WAYS, Way, way, with_one_more};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["files", folder] => write_files(Path::new(folder)),
        ["ratios"] => ratios(&[], 11),
        ["ratios", rounds, names @ ..] => ratios(names, rounds.parse().expect("a number of rounds")),
        ["load"] => load(51),
        ["reach"] => reach(11),
        ["repeat", times, way, file] => repeat(times.parse().expect("a number of times"), way, file),
        _ => {
            println!(
                "bench files FOLDER | bench load | bench reach | bench ratios [ROUNDS [FILE...]] | bench repeat TIMES WAY FILE"
            )
        }
    }
}

/// What loading the built-in rules takes, of one core: the median.
fn load(rounds: usize) {
    let time = |_| {
        let before = cpu_time();
        let rules = RuleSet::load([]).rule_set.rules().len();
        (cpu_time() - before, rules)
    };
    let mut times: Vec<(Duration, usize)> = (0..rounds).map(time).collect();
    times.sort();
    let (median, rules) = times[rounds / 2];
    println!("loading the {rules} built-in rules takes {:.1} ms of CPU time", median.as_secs_f64() * 1_000.0);
}

/// Packed and unpacked, for other programs.
fn write_files(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder that can be written");
    for file in FILES {
        let trail = trail(file);
        fs::write(folder.join(format!("{}.json.gz", trail.name)), &trail.packed).expect("a folder that can be written");
        println!(
            "{}: {} records, {} bytes, {} unpacked",
            trail.name,
            trail.records,
            trail.packed.len(),
            trail.unpacked
        );
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// Every way with every file, one after the other in every round; prints the median of each way's ratio to the fastest way of
/// unpacking alone.
fn ratios(names: &[&str], rounds: usize) {
    let ways: Vec<Way> = WAYS.into_iter().map(way).collect();
    println!("| file | {} |", ways.iter().map(|way| way.name).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(ways.len()));
    for file in FILES.into_iter().filter(|(name, ..)| names.is_empty() || names.contains(name)) {
        let trail = trail(file);
        let rows: Vec<Vec<f64>> = (0..=rounds).map(|_| ways.iter().map(|way| time(way, &trail)).collect()).collect();
        // The first round warms up.
        let rows = &rows[1..];
        let medians: Vec<f64> = (0..ways.len()).map(|at| median(rows.iter().map(|row| row[at]))).collect();
        let floor = medians
            .iter()
            .zip(&ways)
            .filter(|(_, way)| way.only_unpacks)
            .map(|(time, _)| *time)
            .fold(f64::MAX, f64::min);
        let shown: Vec<String> =
            medians.iter().map(|time| format!("{:.2} ({:.2} ms)", time / floor, time * 1000.0)).collect();
        println!("| {} | {} |", trail.name, shown.join(" | "));
    }
}

/// What one more rule costs where few records are Bedrock's, by what it is looked up by: the median of the ratio to the built-in
/// rules alone. `rules check` tells people of these figures.
fn reach(rounds: usize) {
    let alone = way("built-in rules");
    let ways: Vec<Way> = ONE_MORE.into_iter().map(with_one_more).collect();
    println!("| file | {} |", ways.iter().map(|way| way.name).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(ways.len()));
    for file in FILES.into_iter().filter(|(name, ..)| ["typical-1", "large-1"].contains(name)) {
        let trail = trail(file);
        let round = |_| {
            let alone = time(&alone, &trail);
            ways.iter().map(|way| time(way, &trail) / alone).collect()
        };
        let rows: Vec<Vec<f64>> = (0..=rounds).map(round).collect();
        let medians = (0..ways.len()).map(|at| format!("{:.2}", median(rows[1..].iter().map(|row| row[at]))));
        println!("| {} | {} |", trail.name, medians.collect::<Vec<_>>().join(" | "));
    }
}

/// Seconds of CPU time that a file takes.
fn time(way: &Way, trail: &Trail) -> f64 {
    // Small files often enough that the clock's grain and a page fault do not matter.
    let times = (4_000_000 / trail.unpacked).max(1);
    let before = cpu_time();
    for _ in 0..times {
        black_box((way.run)(black_box(trail)));
    }
    (cpu_time() - before).as_secs_f64() / times as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs one way so many times over one file, for a program that counts instructions: what starting costs is what no times cost.
fn repeat(times: usize, name: &str, file: &str) {
    let way = way(WAYS.into_iter().find(|known| *known == name).expect("the name of a way"));
    let file = FILES.into_iter().find(|(name, ..)| *name == file).expect("the name of a file");
    let trail = trail(file);
    for _ in 0..times {
        black_box((way.run)(black_box(&trail)));
    }
    println!("{}", trail.records * times);
}
