//! What JavaScript calls: it writes a request where [`room`] says, and reads the reply where [`answer`] says.

use std::{cell::RefCell, mem};

use crate::Studio;

/// All that there is: a module of WebAssembly has one thread.
#[derive(Default)]
struct State {
    studio: Studio,
    request: Vec<u8>,
    reply: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Makes room for a request of `length` bytes; returns where it is to be written.
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.reply = Vec::new();
        state.request = vec![0; length];
        state.request.as_mut_ptr()
    })
}

/// Answers the request; returns where the reply is, until the next [`room`].
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    STATE.with_borrow_mut(|state| {
        let request = mem::take(&mut state.request);
        state.reply = state.studio.answer(request);
        state.reply.as_ptr()
    })
}

/// How many bytes the reply has.
#[unsafe(no_mangle)]
pub extern "C" fn reply_length() -> usize {
    STATE.with_borrow(|state| state.reply.len())
}
