import NIOCore

/// What is known about images, so that the warm path asks no container engine.
struct ImageCache {
    /// How long a name stands for the same image without being asked again.
    private static let freshNanoseconds: Int64 = 60_000_000_000

    private var entries: [String: (image: ResolvedImage, at: NIODeadline)] = [:]
    private var cloudpickle: [String: Bool] = [:]

    func fresh(runtime: String, reference: String) -> ResolvedImage? {
        guard let entry = entries["\(runtime) \(reference)"],
            (NIODeadline.now() - entry.at).nanoseconds < Self.freshNanoseconds
        else { return nil }
        return entry.image
    }

    mutating func store(_ image: ResolvedImage, runtime: String) {
        if entries.count >= 1024 { entries = [:] }
        entries["\(runtime) \(image.reference)"] = (image, .now())
    }

    mutating func note(_ image: ResolvedImage, hasCloudpickle: Bool) {
        if cloudpickle.count >= 1024 { cloudpickle = [:] }
        cloudpickle[image.digest] = hasCloudpickle
    }

    /// Whether the image is known to lack cloudpickle.
    func lacksCloudpickle(_ image: ResolvedImage) -> Bool { cloudpickle[image.digest] == false }
}
