import ArgumentParser
import SlipwayCore
import SlipwayGateway

@main
struct Slipway: AsyncParsableCommand {
    func run() async throws { print(slipwayVersion) }
}
