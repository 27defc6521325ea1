package org.pabal.jms.stomp;

import javax.net.ssl.SSLContext;

/**
 * How a connection is made.
 *
 * @param connectTimeout milliseconds for TCP, TLS and the CONNECTED frame together, each; 0: no limit
 * @param heartBeatSend milliseconds between our heart-beats at most; 0: none
 * @param heartBeatReceive milliseconds between the broker's; 0: none
 * @param frameBytesMax largest body that is accepted
 * @param sslContext null: the one of the Java installation
 * @param verifyHostName whether the certificate must be one for the host of the URL
 */
public record WireOptions(
    int connectTimeout,
    int heartBeatSend,
    int heartBeatReceive,
    int frameBytesMax,
    SSLContext sslContext,
    boolean verifyHostName) {}
