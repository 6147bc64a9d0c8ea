//! Signals that ask a program to stop.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// A flag that Ctrl-C, SIGTERM and SIGHUP raise; a program looks at it where it can save and end.
///
/// A second Ctrl-C or SIGTERM ends the program at once, with status 130. SIGHUP is what a terminal or an
/// ssh session sends as it closes, and its shell once again, so it only raises the flag. Where it was
/// ignored from the start, as under `nohup`, it stays ignored.
///
/// # Errors
/// The system's.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let raised = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal finds the flag down.
        flag::register_conditional_shutdown(signal, 130, Arc::clone(&raised))?;
        flag::register(signal, Arc::clone(&raised))?;
    }
    #[cfg(unix)]
    if !is_ignored(libc::SIGHUP) {
        flag::register(libc::SIGHUP, Arc::clone(&raised))?;
    }
    Ok(raised)
}

#[cfg(unix)]
fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no action is set, and the one that is in place is written where there is room for it; if it
    // isn't, the zeros are a `sigaction` too.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
