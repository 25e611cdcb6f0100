import SlipwayCore

/// Writes what a tenant uses as JSON.
enum UsageEncoder {
    /// The answer of `GET /v1/usage`.
    static func bytes(_ usage: TenantUsage) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("tenant")
            writer.value(usage.tenant.description)
            writer.name("limits")
            writer.object { writer in
                writer.name("cpus")
                if let cpus = usage.limits.cpus { writer.value(cpus) } else { writer.null() }
                write("memory", usage.limits.memoryBytes, to: &writer)
                write("gpus", usage.limits.gpus, to: &writer)
                write("running", usage.limits.running, to: &writer)
                write("unfinished", usage.unfinishedMax, to: &writer)
            }
            writer.name("used")
            writer.object { writer in
                writer.name("cpus")
                writer.value(usage.cpus)
                write("memory", usage.memoryBytes, to: &writer)
                write("gpus", usage.gpus, to: &writer)
                write("running", usage.running, to: &writer)
                write("unfinished", usage.running + usage.waiting, to: &writer)
            }
            writer.name("idle")
            writer.object { writer in
                write("sandboxes", usage.idleSandboxes, to: &writer)
                write("memory", usage.idleMemoryBytes, to: &writer)
            }
        }
        return writer.bytes
    }

    private static func write(_ name: String, _ number: Int?, to writer: inout JSONWriter) {
        writer.name(escaping: name)
        if let number { writer.value(number) } else { writer.null() }
    }
}
