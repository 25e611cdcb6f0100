import SlipwayCore

/// Takes values of expected types out of a request; what does not fit becomes a fault, and the value is left out.
extension JSONNode {
    func text(_ pointer: String, _ faults: FaultList) -> String? {
        guard let string else { return wrongType("a string", pointer, faults) }
        return string
    }

    func whole(_ pointer: String, _ faults: FaultList) -> Int? {
        guard let integer else { return wrongType("an integer", pointer, faults) }
        return integer
    }

    func decimal(_ pointer: String, _ faults: FaultList) -> Double? {
        guard let double else { return wrongType("a number", pointer, faults) }
        return double
    }

    func duration(_ pointer: String, _ faults: FaultList) -> Duration? {
        if let double {
            guard let duration = Duration(exactlySeconds: double) else {
                faults.add(pointer, "out-of-range", "The time must be 0 or more seconds, and less than a century")
                return nil
            }
            return duration
        }
        guard let string else { return wrongType("seconds as a number, or a text such as \"30s\"", pointer, faults) }
        guard let duration = Quantity.duration(string) else {
            faults.add(pointer, "invalid", "The time must look like \"500ms\", \"30s\", \"5m\" or \"1h\"")
            return nil
        }
        return duration
    }

    func size(_ pointer: String, _ faults: FaultList) -> Int? {
        if let integer { return integer }
        guard let string else { return wrongType("bytes as an integer, or a text such as \"512m\"", pointer, faults) }
        guard let bytes = Quantity.bytes(string) else {
            faults.add(pointer, "invalid", "The size must look like \"512m\", \"2g\" or \"1GiB\"")
            return nil
        }
        return bytes
    }

    func texts(_ pointer: String, _ faults: FaultList) -> [String] {
        guard kind == .array else { return wrongType("an array of strings", pointer, faults) ?? [] }
        return taken(pointer, faults) { $0.text($1, faults) }
    }

    /// What can be made of the elements, and where they stood if not of all.
    func taken<T>(_ pointer: String, _ faults: FaultList, _ make: (JSONNode, String) -> T?) -> [T] {
        var taken: [T] = []
        var places: [Int] = []
        var count = 0
        for (place, element) in elements.enumerated() {
            count += 1
            guard let value = make(element, "\(pointer)/\(place)") else { continue }
            taken.append(value)
            places.append(place)
        }
        if taken.count < count { faults.note(places: places, at: pointer) }
        return taken
    }

    func textMap(_ pointer: String, _ faults: FaultList) -> [String: String] {
        guard kind == .object else { return wrongType("an object with strings", pointer, faults) ?? [:] }
        var map: [String: String] = [:]
        for member in members {
            let name = member.name
            guard let text = member.value.text(FaultList.pointer(pointer, name), faults) else { continue }
            if map.updateValue(text, forKey: name) != nil {
                faults.add(
                    FaultList.pointer(pointer, name), "duplicate-key", "Another name is the same but for its form")
            }
        }
        return map
    }

    private func wrongType<T>(_ expected: String, _ pointer: String, _ faults: FaultList) -> T? {
        faults.add(pointer, "wrong-type", "Expected \(expected), not \(kind.name)")
        return nil
    }
}
