extension EngineError {
    /// A wrong configuration as an error of the engine, with all its faults in the message.
    public init(_ error: ConfigurationError) {
        self.init(.configuration, error.description, cause: error)
    }
}
