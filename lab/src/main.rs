//! `twinwall-lab`: see `twinwall_lab`.

use std::process::ExitCode;
use std::time::Duration;
use twinwall_lab::lab::{Form, HaForm, Lab};
use twinwall_lab::{fault, isolate, product::Product};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(cause) => {
            eprintln!("twinwall-lab: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> twinwall_lab::error::Result<ExitCode> {
    let outer = match isolate::cross()? {
        isolate::Side::Done(code) => return Ok(code),
        isolate::Side::Inside { outer_pid } => outer_pid,
    };
    eprintln!("to look inside: nsenter -t {outer} -p -m ip netns exec gw-a ip addr");
    let t = std::time::Instant::now();
    let mut lab = Lab::build(Form { product: Product::Keepalived, program: "x".into(), interval: Duration::from_millis(100), ha: HaForm::Direct, further_vips: 0, nat: false })?;
    eprintln!("built {:?}", t.elapsed());
    let active = lab.settle()?;
    eprintln!("settled {:?}: {active}", t.elapsed());
    for i in 0..4 {
        lab.make_active(i % 2)?;
        let f = fault::fire(&mut lab, fault::Fault::PowerLoss(fault::Who::Active), i % 2)?;
        eprintln!("power loss {:?}", f.took);
        std::thread::sleep(Duration::from_secs(1));
        fault::restore(&mut lab)?;
        lab.settle()?;
        for e in lab.timeline.between(f.at, twinwall_lab::clock::now()) { eprintln!("{:>10.3} {} {}", e.at.since(f.at).as_secs_f64()*1e3, e.source.name(), e.text); }
    }
    if std::env::args().nth(1).is_some() { std::thread::sleep(Duration::from_secs(600)); }
    Ok(ExitCode::SUCCESS)
}
