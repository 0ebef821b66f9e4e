//! A program that waits for a login can cancel it.

use crate::common::*;
use planetkey::login::{LoginOptions, Method, Prompt};
use planetkey::{Session, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn f108_the_interrupt_of_a_session_ends_its_login_however_it_goes() {
    let simulator = simulator();
    let options = simulator_options(&simulator).with(|it| it.save = Some(false));
    let session = Session::from_profile("planet-user", &options).unwrap();
    for method in [Method::Auto, Method::Browser, Method::Device, Method::Paste] {
        let wants_to_leave = Arc::new(AtomicBool::new(false));
        let (asked, told) = (wants_to_leave.clone(), wants_to_leave);
        let prompter = move |_: &Prompt| {
            assert!(!told.swap(true, Ordering::SeqCst), "asked again");
            Ok(Some("no address".to_owned()))
        };
        let session = session.with_interrupt(Arc::new(move || asked.load(Ordering::SeqCst)));
        let options = LoginOptions::default().with(|it| {
            it.method = method;
            it.open_browser = Some(false);
            it.prompter = Some(Arc::new(prompter));
        });
        assert_eq!(session.login(&options).unwrap_err().status(), Status::Cancelled, "{method:?}");
    }
    assert_eq!(simulator.count("user.sessions").unwrap(), 0);
}
