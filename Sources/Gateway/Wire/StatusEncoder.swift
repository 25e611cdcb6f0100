import SlipwayCore

/// Writes what is known about the engine as JSON.
enum StatusEncoder {
    /// The answer of `GET /v1/pools`.
    static func bytes(_ pools: [PoolStatus]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("pools")
            writer.array { writer in
                for pool in pools { write(pool, to: &writer) }
            }
        }
        return writer.bytes
    }

    /// The answer of `GET /readyz`.
    static func bytes(_ readiness: Readiness) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("status")
            writer.value(readiness.ready ? "ready" : "not-ready")
            writer.name("container_engine")
            writer.value(readiness.containerEngine)
            writer.name("reasons")
            writer.array { writer in
                for reason in readiness.reasons { writer.value(reason) }
            }
        }
        return writer.bytes
    }

    private static func write(_ pool: PoolStatus, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("key")
            writer.value(pool.key)
            writer.name("runtime")
            writer.value(pool.runtime)
            writer.name("image")
            writer.value(pool.image)
            writer.name("tenant")
            writer.value(pool.tenant)
            writer.name("warm")
            writer.value(pool.warm)
            writer.name("stem")
            writer.value(pool.stem)
            writer.name("busy")
            writer.value(pool.busy)
            writer.name("starting")
            writer.value(pool.starting)
            writer.name("paused")
            writer.value(0)
            writer.name("max")
            writer.value(pool.max)
            writer.name("last_error")
            writer.value(pool.lastError)
        }
    }
}
