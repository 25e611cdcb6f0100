/// How far a pull is, from the engine's messages (`POST /images/create`).
package struct PullProgress: Sendable, Equatable {
    private struct Layer: Sendable, Equatable {
        var isDone = false
        var currentBytes = 0
        var totalBytes = 0
    }

    private var layers: [String: Layer] = [:]

    package init() {}

    /// Layers that are in place.
    package var doneLayers: Int { layers.values.count(where: \.isDone) }
    /// Layers that the engine has named so far.
    package var allLayers: Int { layers.count }
    /// Bytes of layers that have come.
    package var currentBytes: Int { layers.values.reduce(0) { $0 + $1.currentBytes } }
    /// Bytes of the layers whose size is known.
    package var totalBytes: Int { layers.values.reduce(0) { $0 + $1.totalBytes } }

    /// Takes one message.
    package mutating func note(layer: String, status: String, currentBytes: Int?, totalBytes: Int?) {
        var known = layers[layer]
        switch status {
        case "Pulling fs layer", "Waiting": known = known ?? Layer()
        case "Downloading":
            known = known ?? Layer()
            if let currentBytes { known?.currentBytes = max(0, currentBytes) }
            if let totalBytes, totalBytes > 0 { known?.totalBytes = totalBytes }
        case "Download complete", "Verifying Checksum", "Extracting":
            if let total = known?.totalBytes { known?.currentBytes = total }
        case "Pull complete", "Already exists":
            known = known ?? Layer()
            known?.isDone = true
            if let total = known?.totalBytes { known?.currentBytes = total }
        default: break
        }
        // An image has at most 127 layers; what sends more is no progress that anybody could read.
        if let known, layers[layer] != nil || layers.count < 1024 { layers[layer] = known }
    }

    /// The progress in words, such as `2 of 5 layers, 31 of 120 MiB`.
    package var text: String {
        guard allLayers > 0 else { return "asking the registry" }
        var text = "\(doneLayers) of \(allLayers) layers"
        if totalBytes > 0 {
            let mebibyte = 1 << 20
            text += ", \(currentBytes / mebibyte) of \((totalBytes + mebibyte - 1) / mebibyte) MiB"
        }
        return text
    }
}
