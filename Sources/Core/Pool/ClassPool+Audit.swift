extension ClassPool {
    /// What does not agree between the sandboxes and the books kept about them; nil when all does.
    func audit() -> String? {
        var held: [TenantID: Int] = [:]
        var listed = Set<SandboxID>()
        for sandbox in sandboxes.values {
            switch sandbox.state {
            case .starting, .destroying: break
            case .stem: listed.insert(sandbox.id)
            case .idle(let specialisation, _):
                guard idle[specialisation]?.contains(sandbox.id) == true else { return "\(sandbox.id) is not listed" }
            case .leased(let specialisation, _): held[specialisation.tenant, default: 0] += 1
            case .specialising(let specialisation, let request, _):
                guard let request else { continue }
                guard preparing[request.id] == sandbox.id else { return "\(request.id) cannot be cancelled" }
                held[specialisation.tenant, default: 0] += 1
            }
        }
        guard Set(stems) == listed, stems.count == listed.count else { return "the list of stem cells is wrong" }
        guard idle.values.reduce(0, { $0 + $1.count }) == count(.idle) else { return "the list of free ones is wrong" }
        for phase in SandboxPhase.allCases {
            let actual = sandboxes.values.count { $0.state.phase == phase }
            guard actual == count(phase) else { return "\(count(phase)) counted as \(phase), there are \(actual)" }
        }
        return waiting.audit(held: held)
    }
}
