//! governor (GCRA) beside libmetering: one limiter without a key, and one by
//! key in its default map. See bench/peers.py for the protocol.
use governor::clock::{DefaultClock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::io::{BufRead, Write};
use std::num::NonZeroU32;
use std::sync::{Arc, Barrier};
use std::time::Duration;

type Direct = RateLimiter<NotKeyed, InMemoryState, DefaultClock>;
type Given = RateLimiter<
    NotKeyed,
    InMemoryState,
    FakeRelativeClock,
    NoOpMiddleware<<FakeRelativeClock as governor::clock::Clock>::Instant>,
>;
type Keyed = RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock>;

const THREADS: usize = 2;

/// Each key as 24 bytes, as all peers have them.
fn key(i: u64) -> String {
    format!("consumer:{i:015}")
}

/// SplitMix64: the same keys in every peer.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One emission a nanosecond: nobody asks faster.
fn free() -> Quota {
    let rate = NonZeroU32::new(1_000_000_000).unwrap();
    Quota::per_second(rate)
}

fn per_minute(limit: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(limit).unwrap())
}

fn per_hour(limit: u32) -> Quota {
    Quota::per_hour(NonZeroU32::new(limit).unwrap())
}

enum Limiter {
    Direct(Direct),
    Given(Given, FakeRelativeClock),
    Keyed(Keyed, Vec<String>),
}

impl Limiter {
    /// How many of `count` requests were allowed.
    fn decide(&self, state: &mut u64, count: u64) -> u64 {
        let mut allowed = 0;
        match self {
            Limiter::Direct(limiter) => {
                for _ in 0..count {
                    allowed += u64::from(limiter.check().is_ok());
                }
            }
            Limiter::Given(limiter, clock) => {
                let step = Duration::from_nanos(120_000_001);
                for _ in 0..count {
                    clock.advance(step);
                    allowed += u64::from(limiter.check().is_ok());
                }
            }
            Limiter::Keyed(limiter, keys) => {
                let mask = keys.len() as u64 - 1;
                for _ in 0..count {
                    let which = (random(state) & mask) as usize;
                    let key = &keys[which];
                    allowed += u64::from(limiter.check_key(key).is_ok());
                }
            }
        }
        allowed
    }
}

struct Case {
    name: &'static str,
    who: &'static str,
    threads: usize,
    refuses: bool,
    make: Box<dyn Fn() -> Limiter>,
    made: Option<Arc<Limiter>>,
    states: [u64; THREADS],
}

fn direct(quota: Quota) -> Limiter {
    Limiter::Direct(RateLimiter::direct(quota))
}

fn given() -> Limiter {
    let clock = FakeRelativeClock::default();
    let limiter = RateLimiter::direct_with_clock(per_minute(1000), clock.clone());
    Limiter::Given(limiter, clock)
}

/// Every key once, so that rounds measure known keys.
fn keyed(quota: Quota, keys: u64) -> Limiter {
    let limiter: Keyed = RateLimiter::keyed(quota);
    let keys: Vec<String> = (0..keys).map(key).collect();
    for key in &keys {
        let _ = limiter.check_key(key);
    }
    Limiter::Keyed(limiter, keys)
}

fn case(
    name: &'static str,
    who: &'static str,
    threads: usize,
    make: impl Fn() -> Limiter + 'static,
) -> Case {
    Case {
        name,
        who,
        threads,
        refuses: name.contains("refused"),
        make: Box::new(make),
        made: None,
        states: [1, 2],
    }
}

fn all_cases(many: u64) -> Vec<Case> {
    const DIRECT: &str = "governor, no key";
    const KEYED: &str = "governor, keyed";
    vec![
        case("one key", DIRECT, 1, || direct(free())),
        case("one key", KEYED, 1, || keyed(free(), 1)),
        case("one key, time given", DIRECT, 1, given),
        case("many keys", KEYED, 1, move || keyed(per_minute(1000), many)),
        case("one key, refused", DIRECT, 1, || direct(per_hour(5))),
        case("one key, refused", KEYED, 1, || keyed(per_hour(5), 1)),
        case("one key, 2 threads", DIRECT, 2, || direct(free())),
        case("one key, 2 threads", KEYED, 2, || keyed(free(), 1)),
        case("many keys, 2 threads", KEYED, 2, move || {
            keyed(per_minute(1000), many)
        }),
        case("one key, refused, 2 threads", DIRECT, 2, || {
            direct(per_hour(5))
        }),
        case("one key, refused, 2 threads", KEYED, 2, || {
            keyed(per_hour(5), 1)
        }),
    ]
}

/// Processor time of the process: what else the machine does is not in it.
fn cpu_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    assert_eq!(status, 0);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Nanoseconds, and how many of a thread's requests were allowed.
fn run(case: &mut Case, count: u64) -> (u64, u64) {
    let limiter = case
        .made
        .get_or_insert_with(|| Arc::new((case.make)()))
        .clone();
    let barrier = Arc::new(Barrier::new(case.threads + 1));
    let handles: Vec<_> = (0..case.threads)
        .map(|i| {
            let limiter = limiter.clone();
            let barrier = barrier.clone();
            let mut state = case.states[i];
            std::thread::spawn(move || {
                barrier.wait();
                (limiter.decide(&mut state, count), state)
            })
        })
        .collect();
    barrier.wait();
    let began = cpu_ns();
    let mut allowed = 0;
    for (i, handle) in handles.into_iter().enumerate() {
        let (mine, state) = handle.join().unwrap();
        allowed += mine;
        case.states[i] = state;
    }
    let threads = case.threads as u64;
    ((cpu_ns() - began) / threads, allowed / threads)
}

fn main() {
    let many = std::env::var("BENCH_KEYS").map_or(1 << 20, |n| n.parse().unwrap());
    let mut cases = all_cases(many);
    let said: Vec<String> = cases
        .iter()
        .map(|c| {
            format!(
                r#"{{"case": "{}", "who": "{}", "cpus": {}, "refuses": {}}}"#,
                c.name, c.who, c.threads, c.refuses
            )
        })
        .collect();
    println!(r#"{{"cases": [{}]}}"#, said.join(", "));
    std::io::stdout().flush().unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut words = line.split_whitespace();
        let index: usize = words.next().unwrap().parse().unwrap();
        let count: u64 = words.next().unwrap().parse().unwrap();
        let (ns, allowed) = run(&mut cases[index], count);
        println!(r#"{{"ns": {ns}, "count": {count}, "allowed": {allowed}}}"#);
        std::io::stdout().flush().unwrap();
    }
}
