// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "slipway",
    products: [
        .library(name: "SlipwayCore", targets: ["SlipwayCore"]),
        .library(name: "SlipwayGateway", targets: ["SlipwayGateway"]),
        .executable(name: "slipway", targets: ["slipway"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "CShimCurl", path: "Sources/CShims/CShimCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CShimLinux", path: "Sources/CShims/CShimLinux"),
        .target(name: "CShimYAML", path: "Sources/CShims/CShimYAML", linkerSettings: [.linkedLibrary("yaml")]),
        .target(name: "CShimZlib", path: "Sources/CShims/CShimZlib", linkerSettings: [.linkedLibrary("z")]),
        .target(name: "CRunnerFiles", path: "Sources/RunnerFiles", exclude: ["builder", "slipway_runner"]),
        .target(
            name: "SlipwayCore",
            dependencies: [
                "CShimCurl", "CShimLinux", "CShimYAML", "CShimZlib", "CRunnerFiles",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Core",
            swiftSettings: strict
        ),
        .target(
            name: "SlipwayGateway",
            dependencies: [
                "SlipwayCore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Gateway",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "slipway",
            dependencies: [
                "SlipwayCore", "SlipwayGateway",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Sources/CLI",
            swiftSettings: strict
        ),
        .target(name: "TestSupport", dependencies: ["SlipwayCore"], path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "CoreTests", dependencies: ["SlipwayCore", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "GatewayTests", dependencies: ["SlipwayGateway", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "CLITests", dependencies: ["TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests", dependencies: ["SlipwayCore", "SlipwayGateway", "TestSupport"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
