import type { Flight } from "./flight.js";
import type { Logger, Options } from "./options.js";
import type { Session } from "./session.js";
/** Sends a fresh token before the present one is over, without reconnecting. */
export declare class Refresh {
    private readonly flight;
    private readonly token;
    private readonly logger;
    private session;
    private timer;
    constructor(flight: Flight, token: Options["token"], logger: Logger);
    attach(session: Session): void;
    detach(): void;
    /** 0 is never: the token is good for ever. */
    private after;
    private refresh;
}
/** The credential for the next connection. */
export declare function tokenOf(token: Options["token"]): Promise<string | undefined>;
