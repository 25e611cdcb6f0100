import HTTPTypes
import Hummingbird
import SlipwayCore

extension GatewayRoutes {
    /// Lists the files that a job left: `GET /v1/jobs/{id}/artifacts`.
    @Sendable func artifacts(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let id = try call.jobID()
        let artifacts = try await service.artifacts(of: id, tenant: call.principal.tenant)
        return .json(ArtifactEncoder.bytes(artifacts, of: id))
    }

    /// Hands out a file that a job left, all of it or a range: `GET /v1/jobs/{id}/artifacts/{name}`.
    @Sendable func artifact(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let id = try call.jobID()
        let name = try call.artifactName()
        let tenant = call.principal.tenant
        let artifact = try await service.artifact(name, of: id, tenant: tenant)
        let tag = "\"\(artifact.sha256)\""
        var headers: HTTPFields = [.eTag: tag, .acceptRanges: "bytes"]
        guard !EntityTag.isMatch(tag, call.headers[values: .ifNoneMatch]) else {
            return Response(status: .notModified, headers: headers)
        }
        var range: Range<Int>?
        if call.headers[.ifRange].map({ $0 == tag }) ?? true {
            range = try ByteRange.asked(call.headers[values: .range], size: artifact.sizeBytes)
        }
        let content = try await service.content(ofArtifact: name, of: id, tenant: tenant, range: range)
        headers[.contentType] = artifact.mediaType
        // What a task wrote is never to run in a page of this address.
        headers[.contentDisposition] = ArtifactEncoder.disposition(of: name)
        headers[.contentSecurityPolicy] = "default-src 'none'; sandbox"
        if let range {
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(artifact.sizeBytes)"
        }
        let body = ResponseBody(contentLength: content.range.count) { writer in
            // A piece is read when the one before it is on its way: a slow client holds nobody up.
            while let piece = try await content.next() { try await writer.write(ByteBuffer(bytes: piece)) }
            try await writer.finish(nil)
        }
        return Response(status: range == nil ? .ok : .partialContent, headers: headers, body: body)
    }
}

/// Reads the `Range` header (RFC 9110, section 14).
enum ByteRange {
    /// The one range that is asked for; nil for none, for several and for those that cannot be understood.
    ///
    /// - Throws: ``Problem`` 416 when the range begins behind the end.
    static func asked(_ values: [String], size: Int) throws(Problem) -> Range<Int>? {
        guard values.count == 1, let value = values.first, value.lowercased().hasPrefix("bytes=") else { return nil }
        let parts = value.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return nil
        }
        let (first, last) = (number(parts[0]), number(parts[1]))
        switch (first, last) {
        case (nil, nil): return nil
        case (nil, let last?):
            guard last > 0, size > 0 else { throw unsatisfiable(size) }
            return max(0, size - last)..<size
        case (let first?, let last):
            if let last, last < first { return nil }
            guard first < size else { throw unsatisfiable(size) }
            return first..<min(size, (last ?? size - 1) + 1)
        }
    }

    /// A number, or the largest one that can be added to for one that is too long.
    private static func number(_ digits: Substring) -> Int? {
        digits.isEmpty ? nil : min(Int(digits) ?? .max, .max - 1)
    }

    private static func unsatisfiable(_ size: Int) -> Problem {
        var problem = Problem(
            .rangeNotSatisfiable, "range-not-satisfiable", "The file has \(size) bytes; the range begins behind them.")
        problem.headers[.contentRange] = "bytes */\(size)"
        return problem
    }
}
