/// The version of Slipway.
public let slipwayVersion = "0.1.0"
