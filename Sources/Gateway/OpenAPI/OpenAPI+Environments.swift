extension OpenAPI {
    /// The paths of environments, as members of an object.
    static let environmentPaths = #"""
        "/v1/environments":{
          "get":{"operationId":"listEnvironments","tags":["environments"],
            "summary":"The tenant's installed sets of requirements, used last first; scope read.",
            "responses":{"200":{"description":"Environments.","content":{"application/json":{"schema":{"type":"object",
              "required":["environments"],"properties":{"environments":{"type":"array",
              "items":{"$ref":"#/components/schemas/Environment"}}}}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"}}},
          "post":{"operationId":"buildEnvironment","tags":["environments"],
            "summary":"Install ahead what jobs will need; counts as a submit; scope submit.",
            "parameters":[{"$ref":"#/components/parameters/wait"},{"$ref":"#/components/parameters/prefer"}],
            "requestBody":{"required":true,"content":{"application/json":{"schema":{
              "$ref":"#/components/schemas/EnvironmentRequest"}}}},
            "responses":{
              "200":{"description":"It is ready, or could not be installed: see its state.",
                "headers":{"Location":{"$ref":"#/components/headers/Location"},"Preference-Applied":{"$ref":"#/components/headers/PreferenceApplied"},
                  "RateLimit-Policy":{"$ref":"#/components/headers/RateLimitPolicy"},"RateLimit":{"$ref":"#/components/headers/RateLimit"}},
                "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Environment"}}}},
              "202":{"description":"It is being installed.",
                "headers":{"Location":{"$ref":"#/components/headers/Location"},"Preference-Applied":{"$ref":"#/components/headers/PreferenceApplied"},
                  "RateLimit-Policy":{"$ref":"#/components/headers/RateLimitPolicy"},"RateLimit":{"$ref":"#/components/headers/RateLimit"}},
                "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Environment"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},
              "415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},
              "429":{"$ref":"#/components/responses/Retry"},"503":{"$ref":"#/components/responses/Retry"}}}},
        "/v1/environments/prune":{
          "post":{"operationId":"pruneEnvironments","tags":["environments"],
            "summary":"Remove the tenant's environments that nothing uses; scope submit.",
            "requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object",
              "additionalProperties":false,"properties":{
              "ids":{"type":["array","null"],"items":{"type":"string"},"description":"Only these."},
              "unused_for":{"anyOf":[{"$ref":"#/components/schemas/Duration"},{"type":"null"}],
                "description":"Only those that were not used for so long."}}}}}},
            "responses":{"200":{"description":"What was removed.","content":{"application/json":{"schema":{"type":"object",
              "required":["removed"],"properties":{"removed":{"type":"array",
              "items":{"$ref":"#/components/schemas/Environment"}}}}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},
              "415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},
              "503":{"$ref":"#/components/responses/Retry"}}}},
        "/v1/environments/{id}":{
          "parameters":[{"name":"id","in":"path","required":true,"description":"An id, or the key of the one that serves.",
            "schema":{"type":"string"}}],
          "get":{"operationId":"getEnvironment","tags":["environments"],
            "summary":"An environment with what its installer wrote and its lock; scope read.",
            "responses":{"200":{"description":"The environment.","content":{"application/json":{"schema":{
              "$ref":"#/components/schemas/Environment"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"}}}},
        """#

    /// The schemas of environments, as members of an object.
    static let environmentSchemas = #"""
        "EnvironmentRequest":{"type":"object","additionalProperties":false,
          "description":"What jobs will name; at least one of requirements and project.","properties":{
          "handler":{"type":["string","null"]},"image":{"type":["string","null"]},
          "requirements":{"type":["array","null"],"maxItems":200,"items":{"type":"string"}},
          "index_url":{"type":["string","null"]},"project":{"type":["string","null"]}}},
        "Environment":{"type":"object","required":["id","key","state","requirements","resolved","runtime","size","created_at"],
          "properties":{"id":{"type":"string"},"key":{"type":"string"},"state":{"enum":["building","ready","failed"]},
          "requirements":{"type":"array","items":{"type":"string"}},"project":{"type":["string","null"]},
          "resolved":{"type":"array","items":{"type":"object","required":["name","version","hashes"],"properties":{
            "name":{"type":"string"},"version":{"type":"string"},"hashes":{"type":"array","items":{"type":"string"}}}}},
          "runtime":{"type":"string"},"image":{"type":"string"},"installer":{"type":["string","null"]},
          "size":{"type":"integer"},"created_at":{"type":"string","format":"date-time"},
          "last_used_at":{"type":["string","null"],"format":"date-time"},"build_seconds":{"type":["number","null"]},
          "in_use":{"type":"boolean"},"replaced":{"type":"boolean"},"error":{"type":["string","null"]},
          "log":{"type":"string","description":"What the installer wrote; not in lists."},
          "lock":{"type":"string","description":"A requirements file that installs the same again; not in lists."}}},
        """#
}
