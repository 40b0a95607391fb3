//! quick
use annotator::live::kernel::Kernel;
use annotator_common::{Settings, settings::Budget};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use std::time::Instant;

fn frame(case: &str) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    let v4 = |proto: u8, opts: &[u8], l4: &[u8]| -> Vec<u8> {
        let total = 20 + opts.len() + l4.len();
        let mut h = vec![
            0x45 + (opts.len() / 4) as u8,
            0,
            (total >> 8) as u8,
            total as u8,
            0,
            1,
            0x40,
            0,
            64,
            proto,
            0,
            0,
            8,
            8,
            8,
            8,
            185,
            0,
            0,
            7,
        ];
        h.extend_from_slice(opts);
        h.extend_from_slice(l4);
        h
    };
    let udp = |n: usize| {
        let mut u = vec![0x9c, 0x40, 0x30, 0x39, ((n + 8) >> 8) as u8, (n + 8) as u8, 0, 0];
        u.resize(8 + n, 0);
        u
    };
    let tcp = |flags: u8, n: usize| {
        let mut t = vec![
            0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, flags, 0xff, 0xff, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 0,
            0, 0, 0, 0,
        ];
        t.resize(32 + n, 0);
        t
    };
    let v6 = |chain: usize, l4: Vec<u8>| {
        let mut h = vec![0x60, 0, 0, 0, 0, (l4.len() + 8 * chain) as u8, if chain > 0 { 60 } else { 17 }, 64];
        h.extend_from_slice(&[0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        h.extend_from_slice(&[0x2a, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        for i in 0..chain {
            h.extend_from_slice(&[if i + 1 == chain { 17 } else { 60 }, 0, 1, 4, 0, 0, 0, 0]);
        }
        h.extend(l4);
        h
    };
    match case {
        "udp-hot" => {
            f.extend([8, 0]);
            f.extend(v4(17, &[], &udp(18)));
        }
        "tcp-syn-hot" => {
            f.extend([8, 0]);
            f.extend(v4(6, &[], &tcp(2, 0)));
        }
        "tcp-established" => {
            f.extend([8, 0]);
            f.extend(v4(6, &[], &tcp(0x18, 100)));
        }
        "live-sources-8k" | "flood-random" => {
            f.extend([8, 0]);
            f.extend(v4(6, &[], &tcp(2, 0)));
        }
        "ipv6-one-extension" => {
            f.extend([0x86, 0xdd]);
            f.extend(v6(1, udp(18)));
        }
        "ipv6-plain" => {
            f.extend([0x86, 0xdd]);
            f.extend(v6(0, udp(18)));
        }
        "ipv6-five" => {
            f.extend([0x86, 0xdd]);
            f.extend(v6(5, udp(18)));
        }
        "ipv4-options-40" => {
            f.extend([8, 0]);
            f.extend(v4(17, &[1; 40], &udp(18)));
        }
        _ => panic!(),
    }
    f
}

fn run(p: &Xdp, data: &[u8], repeat: u32) -> f64 {
    let r = p.test_run(TestRunOptions { data_in: Some(data), repeat, ..TestRunOptions::new() }).unwrap();
    r.duration.as_nanos() as f64 / 512.0
}

fn main() {
    let object = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    unsafe {
        let l = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        libc::setrlimit(libc::RLIMIT_MEMLOCK, &l);
    }
    for case in [
        "udp-hot",
        "tcp-syn-hot",
        "tcp-established",
        "live-sources-8k",
        "flood-random",
        "ipv6-plain",
        "ipv6-one-extension",
        "ipv6-five",
        "ipv4-options-40",
    ] {
        let mut s = Box::new(Settings::DEFAULT);
        s.budget = Budget::LIVE;
        s.second_shift = 8;
        let (sm, pm): (u32, u16) = match case {
            "live-sources-8k" => (0x001f_ff00u32.to_be(), 0),
            "flood-random" => (u32::MAX, u16::MAX),
            _ => (0, 0),
        };
        let t = Instant::now();
        let mut k = Kernel::open_with(&object, &s, |l| {
            if std::env::var_os("VERB").is_some() {
                l.verifier_log_level(aya::VerifierLogLevel::VERBOSE | aya::VerifierLogLevel::STATS);
            }
            l.override_global("SOURCE_MASK", sm_ref(sm), true);
            l.override_global("PORT_MASK", pm_ref(pm), true);
        })
        .unwrap();
        for n in ["bench_engine", "bench_nothing"] {
            let p: &mut Xdp = k.ebpf.program_mut(n).unwrap().try_into().unwrap();
            if let Err(e) = p.load() {
                println!("load {:?}", t.elapsed());
                println!("{e:#?}");
                std::process::exit(1)
            }
        }
        let load = t.elapsed();
        let e: &Xdp = k.ebpf.program("bench_engine").unwrap().try_into().unwrap();
        let n: &Xdp = k.ebpf.program("bench_nothing").unwrap().try_into().unwrap();
        let f = frame(case);
        run(e, &f, 200);
        let mut d: Vec<f64> = (0..15).map(|_| run(e, &f, 400) - run(n, &f, 400)).collect();
        d.sort_by(f64::total_cmp);
        println!("{case:20} min {:6.2} median {:6.2}  load {load:?}", d[0], d[7]);
    }
}
fn sm_ref(v: u32) -> &'static u32 {
    Box::leak(Box::new(v))
}
fn pm_ref(v: u16) -> &'static u16 {
    Box::leak(Box::new(v))
}
