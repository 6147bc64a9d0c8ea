//! CUDA graphs: what is asked of a device, recorded once, and from then on asked as a whole.
//!
//! While the device's stream records, nothing runs: each kernel, copy, allocation and release becomes a
//! node of the graph, with its arguments. So nothing may come from the host, and what is allocated
//! must be released before the recording ends.

#[cfg(feature = "cuda")]
pub use cuda::{Graph, rehearse};
#[cfg(not(feature = "cuda"))]
pub use none::{Graph, rehearse};

#[cfg(feature = "cuda")]
mod cuda {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::CudaGraph;
    use candle_core::cuda_backend::cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
    use candle_core::{Device, bail};
    use models::Result;

    /// Work of a device that was recorded.
    pub struct Graph(CudaGraph);

    impl Graph {
        /// Records what `work` asks of the device, without doing it. It must have been [rehearsed](rehearse).
        ///
        /// # Errors
        /// If the work asks for what can't be recorded, or the device has no room for the graph. The
        /// device is then as if nothing had been asked.
        pub fn record(device: &Device, work: impl FnOnce() -> Result<()>) -> Result<Graph> {
            Ok(Graph(recorded(device, || work().map_err(candle_core::Error::wrap))?))
        }

        /// Asks for all of it.
        ///
        /// # Errors
        /// CUDA's.
        pub fn launch(&self) -> Result<()> {
            Ok(self.0.launch().w()?)
        }
    }

    fn recorded(
        device: &Device,
        work: impl FnOnce() -> candle_core::Result<()>,
    ) -> candle_core::Result<CudaGraph> {
        let Device::Cuda(device) = device else { bail!("{device:?} records no graphs") };
        let _constants = device.enable_cuda_graph_htod_cache();
        let stream = device.cuda_stream();
        stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
        let done = work();
        // What a release met is kept until someone asks, and would keep the recording from its end.
        let released = stream.context().check_err();
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        // The first cause is the one to name.
        done?;
        released.w()?;
        let Some(graph) = graph.w()? else { bail!("nothing was recorded") };
        // Takes the memory that its allocations need, so that no launch fails for want of it.
        graph.upload().w()?;
        Ok(graph)
    }

    /// Does the work, and leaves on the device those constants of Candle's operations, such as shapes, that
    /// they take from the host otherwise.
    pub fn rehearse<T>(device: &Device, work: impl FnOnce() -> T) -> T {
        let _constants = match device {
            Device::Cuda(device) => Some(device.enable_cuda_graph_htod_cache()),
            _ => None,
        };
        work()
    }
}

/// A program without CUDA has no graphs.
#[cfg(not(feature = "cuda"))]
mod none {
    use candle_core::Device;
    use models::Result;

    /// There is none.
    pub enum Graph {}

    impl Graph {
        /// Records nothing.
        ///
        /// # Errors
        /// Always.
        pub fn record(_: &Device, _: impl FnOnce() -> Result<()>) -> Result<Graph> {
            Err(candle_core::Error::Msg("this program was built without CUDA".to_string()).into())
        }

        /// Asks for nothing, as there is no graph.
        ///
        /// # Errors
        /// None.
        pub fn launch(&self) -> Result<()> {
            match *self {}
        }
    }

    /// Does the work.
    pub fn rehearse<T>(_: &Device, work: impl FnOnce() -> T) -> T {
        work()
    }
}
