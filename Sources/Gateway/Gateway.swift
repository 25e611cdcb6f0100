import Hummingbird
import SlipwayCore
