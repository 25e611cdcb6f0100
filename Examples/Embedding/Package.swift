// swift-tools-version: 6.2
import PackageDescription

// A service outside of this repository: it sees what is public and nothing else.
let package = Package(
    name: "embedding",
    dependencies: [
        .package(name: "slipway", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "Embedding",
            dependencies: [
                .product(name: "SlipwayCore", package: "slipway"),
                .product(name: "SlipwayGateway", package: "slipway"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
