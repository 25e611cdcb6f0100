import Synchronization

/// Lets a few in at a time, and tenants by turns where more wait.
///
/// Whoever stops waiting leaves the line at once. While another tenant waits, one tenant has all places but one.
package final class FairGate: Sendable {
    private struct Waiter {
        let number: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var inside = 0
        var insideOf: [TenantID?: Int] = [:]
        /// Those who wait, by tenant; the tenants stand in `turns`, the next one first.
        var lines: [TenantID?: [Waiter]] = [:]
        var turns: [TenantID?] = []
        var nextNumber: UInt64 = 0
    }

    private let places: Int
    private let state = Mutex(State())

    /// - Parameter places: How many are inside at a time, at least 1.
    package init(places: Int) { self.places = max(1, places) }

    /// Runs `body` when there is a place.
    ///
    /// - Parameters:
    ///   - tenant: Whose turn it takes; nil is the operator's.
    ///   - waits: Called before `body` where there is no place yet.
    /// - Throws: `CancellationError` where the task was cancelled in line, and what `body` throws.
    package func run<Value: Sendable>(
        for tenant: TenantID?, waits: () -> Void = {}, _ body: () async throws -> Value
    ) async throws -> Value {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if line(Waiter(number: number, continuation: continuation), tenant) { waits() }
                if Task.isCancelled { leave(number, tenant) }
            }
        } onCancel: {
            leave(number, tenant)
        }
        defer { exit(tenant) }
        return try await body()
    }

    /// Takes a place or stands in line; returns whether it waits.
    private func line(_ waiter: Waiter, _ tenant: TenantID?) -> Bool {
        let waits = state.withLock { state in
            if state.inside < places, admits(tenant, state) {
                Self.take(tenant, &state)
                return false
            }
            if state.lines[tenant] == nil { state.turns.append(tenant) }
            state.lines[tenant, default: []].append(waiter)
            return true
        }
        if !waits { waiter.continuation.resume() }
        return waits
    }

    private func leave(_ number: UInt64, _ tenant: TenantID?) {
        let waiter: Waiter? = state.withLock { state in
            guard let index = state.lines[tenant]?.firstIndex(where: { $0.number == number }) else { return nil }
            let waiter = state.lines[tenant]?.remove(at: index)
            Self.forgetIfEmpty(tenant, &state)
            return waiter
        }
        waiter?.continuation.resume(throwing: CancellationError())
        admitNext()
    }

    private func exit(_ tenant: TenantID?) {
        state.withLock { state in
            state.inside -= 1
            let left = state.insideOf[tenant, default: 1] - 1
            state.insideOf[tenant] = left > 0 ? left : nil
        }
        admitNext()
    }

    private func admitNext() {
        let next: [Waiter] = state.withLock { state in
            var next: [Waiter] = []
            while state.inside < places, let turn = state.turns.firstIndex(where: { admits($0, state) }) {
                let tenant = state.turns.remove(at: turn)
                state.turns.append(tenant)
                guard let waiter = state.lines[tenant]?.removeFirst() else { break }
                Self.forgetIfEmpty(tenant, &state)
                Self.take(tenant, &state)
                next.append(waiter)
            }
            return next
        }
        for waiter in next { waiter.continuation.resume() }
    }

    private func admits(_ tenant: TenantID?, _ state: State) -> Bool {
        guard state.turns.contains(where: { $0 != tenant }) else { return true }
        return state.insideOf[tenant, default: 0] < max(1, places - 1)
    }

    private static func take(_ tenant: TenantID?, _ state: inout State) {
        state.inside += 1
        state.insideOf[tenant, default: 0] += 1
    }

    private static func forgetIfEmpty(_ tenant: TenantID?, _ state: inout State) {
        guard state.lines[tenant]?.isEmpty == true else { return }
        state.lines[tenant] = nil
        state.turns.removeAll { $0 == tenant }
    }
}
